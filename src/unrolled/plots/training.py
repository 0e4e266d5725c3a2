"""Plots of training histories."""

from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.plots.theme import FONT, LIGHT, SMALL, WIDTH, Theme, new_axes, new_figure, write
from unrolled.training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 4.2  # inches


def draw_history(history: History, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw losses over the epochs, with the epoch whose weights were kept, and the gradient's norm below.

    Args:
        history: `task.history_`, or the result of `Trainer.run`.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: a path with another ending.

    Example:
        >>> from unrolled.training.history import Row
        >>> figure = draw_history(History([Row(1.0, 10, 0.5, 2.0, 1.5, 0.001, 0.7, 900.0)]))
        >>> [axes.get_ylabel() for axes in figure.axes]
        ['loss', 'gradient norm']
    """
    figure = new_figure(WIDTH, HEIGHT, theme)
    grid = figure.add_gridspec(2, 1, height_ratios=(3, 1), left=0.14, right=0.96, top=0.94, bottom=0.12, hspace=0.3)
    above, below = new_axes(figure, theme, grid[0]), new_axes(figure, theme, grid[1])
    epochs = history.column("epoch")
    style = {"linewidth": 1.8, "marker": "o" if len(epochs) < 3 else ""}
    above.plot(epochs, history.column("train_loss"), label="training", color=theme.lines[0], **style)
    if any(loss is not None for loss in history.column("validation_loss")):
        losses = [float("nan") if loss is None else loss for loss in history.column("validation_loss")]
        above.plot(epochs, losses, label="validation", color=theme.lines[1], **style)
    best = history.best
    if best is not None:
        above.plot([best.epoch], [best.watched], "o", color=theme.warning, markersize=7, label="weights kept")
    below.plot(epochs, history.column("grad_norm"), color=theme.lines[2], **style)
    above.set_ylabel("loss", color=theme.ink, fontsize=SMALL, family=FONT)
    below.set_ylabel("gradient norm", color=theme.ink, fontsize=SMALL, family=FONT)
    below.set_xlabel("epoch", color=theme.ink, fontsize=SMALL, family=FONT)
    below.set_ylim(bottom=0)
    for axes in (above, below):
        axes.grid(color=theme.tint(theme.muted, 0.3), linewidth=0.6)
        axes.set_axisbelow(True)
    figure.align_ylabels([above, below])
    above.legend(frameon=False, labelcolor=theme.ink, fontsize=SMALL)
    return write(figure, path)
