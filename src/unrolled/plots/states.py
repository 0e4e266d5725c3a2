"""Plots of states: a heat map over the text, gates as curves over time, and units that track features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from unrolled.errors import OptionError, message, unknown
from unrolled.inspection.names import called
from unrolled.inspection.states import LayerStates
from unrolled.inspection.tracking import Tracked
from unrolled.plots.bands import draw_bands, symmetric
from unrolled.plots.theme import FONT, LIGHT, SMALL, WIDTH, Theme, new_axes, new_figure, visible, width_of, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FEW = 30  # maximum number of steps with labels under curves


def draw_states(
    layer: LayerStates,
    row: int = 0,
    field: str = "hidden",
    labels: Sequence[str] = (),
    units: Sequence[int] = (),
    path: str | Path | None = None,
    theme: Theme = LIGHT,
) -> "Figure":
    """Draw units by steps, with numbers as colours.

    Args:
        layer: one of `States.layers`.
        row: index of the sequence.
        field: a state field such as "cell", or a gate such as "forget gate".
        labels: input of each step, (T,).
        units: to show; empty = the 12 that change most, in order.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: an unknown field, or a path with another ending.

    Example:
        >>> import torch
        >>> from unrolled.ragged import Ragged
        >>> cell = Ragged(torch.randn(3, 2), [3])
        >>> figure = draw_states(LayerStates(0, "forward", "GRU", cell, {}, {"hidden": cell}, {}, cell), labels="abc")
        >>> figure.axes[0].images[0].get_array().shape
        (2, 3)
    """
    if field not in layer.everything:
        raise unknown("field", field, layer.everything)
    values = _numbers(layer.everything[field][row])  # (T, H)
    chosen = list(units) or sorted(np.argsort(-values.std(0), kind="stable")[:12].tolist())
    rows = {f"unit {unit}": values[:, unit] for unit in chosen}
    gate = field.endswith("gate")
    colors, limits = (theme.sequential, (0.0, 1.0)) if gate else (theme.diverging, symmetric(values[:, chosen]))
    return write(draw_bands(rows, labels, f"{called(layer.name, layer.cell)}: {field}", theme, colors, limits), path)


def draw_gates(
    layer: LayerStates,
    row: int = 0,
    labels: Sequence[str] = (),
    path: str | Path | None = None,
    theme: Theme = LIGHT,
) -> "Figure":
    """Draw each gate over time: the mean of its units, and a band with the middle half of them.

    Args:
        layer: one of `States.layers`.
        row: index of the sequence.
        labels: input of each step, (T,).
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: a cell without gates, or a path with another ending.
    """
    if not layer.gates:
        raise OptionError(message("layer", expected="a cell with gates", received=layer.cell))
    height = 0.5 + 1.15 * len(layer.gates)
    figure = new_figure(WIDTH, height, theme)
    figure.subplots_adjust(left=0.09, right=0.97, top=1 - 0.42 / height, bottom=0.36 / height, hspace=0.35)
    figure.text(
        0.02,
        1 - 0.16 / height,
        f"{called(layer.name, layer.cell)}: gates",
        color=theme.ink,
        fontsize=SMALL + 1,
        va="center",
    )
    for place, (name, gate) in enumerate(layer.gates.items()):
        values = _numbers(gate[row])  # (T, H)
        steps = np.arange(1, len(values) + 1)
        axes = new_axes(figure, theme, len(layer.gates), 1, place + 1)
        color = theme.lines[place]
        low, high = np.quantile(values, [0.25, 0.75], axis=1)  # (T,) each
        axes.fill_between(steps, low, high, color=theme.tint(color, 0.35), linewidth=0)
        axes.plot(steps, values.mean(1), color=color, linewidth=1.6)
        axes.set(ylim=(0, 1), xlim=(0.5, len(steps) + 0.5), yticks=[0, 1])
        axes.set_title(name, loc="left", fontsize=SMALL, color=theme.ink, pad=3, family=FONT)
        last = place == len(layer.gates) - 1
        if labels and len(steps) <= FEW:
            shown = [visible(text) for text in labels] if last else []
            axes.set_xticks(steps, shown or [""] * len(steps), family=FONT, parse_math=False)
        elif not last:
            axes.set_xticklabels([])
    return write(figure, path)


def draw_tracking(ranking: Sequence[Tracked], path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw for each feature the correlation of its best unit on steps that were not used to choose the unit.

    A dot shows the correlation on the steps used to choose it.

    Args:
        ranking: from `unrolled.inspection.tracking.tracking_units`.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Example:
        >>> figure = draw_tracking([Tracked("inside quotes", 0, "forward", "cell", 7, 0.8, 0.9)])
        >>> figure.axes[0].get_yticklabels()[0].get_text()
        'inside quotes: layer 1, cell 7'
    """
    names = [f"{one.feature}: {one.name}" for one in ranking]
    height = 0.95 + 0.27 * len(names)
    figure = new_figure(WIDTH, height, theme)
    left = max((width_of(name, SMALL) for name in names), default=1.0) + 0.25
    axes = new_axes(figure, theme)
    axes.set_position((left / WIDTH, 0.5 / height, (WIDTH - left - 0.2) / WIDTH, (height - 0.9) / height))
    places = np.arange(len(names))
    axes.axvline(0, color=theme.muted, linewidth=0.8)
    axes.barh(places, [one.correlation for one in ranking], height=0.62, color=theme.lines[0])
    axes.plot([one.chosen_at for one in ranking], places, "o", color=theme.lines[1], markersize=4.5)
    axes.set_yticks(places, names, family=FONT)
    axes.set(xlim=(-1.05, 1.05), ylim=(max(len(names), 1) - 0.5, -0.5), xticks=[-1, -0.5, 0, 0.5, 1])
    axes.set_xlabel(
        "correlation on test steps (dot: on the steps that chose the unit)", fontsize=SMALL, color=theme.ink
    )
    axes.xaxis.set_label_coords((WIDTH / 2 - left) / (WIDTH - left - 0.2), -0.26 / (height - 0.9))
    figure.text(0.02, 1 - 0.18 / height, "Units that track a feature", color=theme.ink, fontsize=SMALL + 1, va="center")
    return write(figure, path)


def _numbers(values: Tensor) -> np.ndarray:
    return values.detach().double().numpy(force=True)
