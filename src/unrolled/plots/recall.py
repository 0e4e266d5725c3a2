"""Plots of recall: the share of true items among the first k answers."""

from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.errors import OptionError, message
from unrolled.metrics.scores import Scores
from unrolled.plots.theme import FONT, LIGHT, SMALL, WIDTH, Theme, new_axes, new_figure, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHT = 3.6  # inches
LINE = 0.2  # inches, of the legend
KINDS = ("hr", "accuracy")  # metrics whose names end in k
MARKERS = "osD^vP"


def cuts_of(scores: Scores) -> dict[int, str]:
    """Return the metric for each k, in order; empty if the scores are not of a ranking."""
    found = {}
    for metric in scores.model:
        kind, _, cut = metric.rpartition("_")
        if kind in KINDS and cut.isdigit():
            found[int(cut)] = metric
    return found if len(found) > 1 else {}


def draw_recall(scores: Scores, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw recall curves: the share of true items among the first k answers, of the model and of every baseline.

    Args:
        scores: from `evaluate` of a recommender.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: scores that are not of a ranking, or a path with another ending.

    Example:
        >>> mine, its = {"hr_1": 0.2, "hr_5": 0.6}, {"hr_1": 0.1, "hr_5": 0.3}
        >>> scores = Scores(9, "events", mine, {"popularity": its}, "hr_1", True)
        >>> [line.get_label() for line in draw_recall(scores).axes[0].lines]
        ['this model', 'popularity']
    """
    cuts = cuts_of(scores)
    if not cuts:
        raise OptionError(message("scores", expected="scores of rankings", received=f"only {', '.join(scores.model)}"))
    rows = {"this model": scores.model, **scores.baselines}
    below = LINE * (len(rows) + 1) + 0.55
    figure = new_figure(WIDTH, HEIGHT + below, theme)
    place = {"left": 0.14, "right": 0.96, "top": 1 - 0.2 / (HEIGHT + below), "bottom": below / (HEIGHT + below)}
    axes = new_axes(figure, theme, figure.add_gridspec(1, 1, **place)[0])
    for number, (name, values) in enumerate(rows.items()):
        axes.plot(
            list(cuts),
            [values.get(metric, float("nan")) for metric in cuts.values()],
            label=name,
            color=theme.lines[0] if not number else theme.lines[1 + (number - 1) % (len(theme.lines) - 1)],
            linewidth=2.6 if not number else 1.4,
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            zorder=len(rows) - number,
        )
    axes.set_xscale("log")
    axes.set_xticks(list(cuts), [str(cut) for cut in cuts], minor=False)
    axes.minorticks_off()
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("number of recommendations, k", color=theme.ink, fontsize=SMALL, family=FONT)
    axes.set_ylabel("share of true items among them", color=theme.ink, fontsize=SMALL, family=FONT)
    axes.grid(color=theme.tint(theme.muted, 0.3), linewidth=0.6)
    axes.set_axisbelow(True)
    figure.legend(loc="lower left", bbox_to_anchor=(0.12, 0.0), frameon=False, labelcolor=theme.ink, fontsize=SMALL)
    return write(figure, path)
