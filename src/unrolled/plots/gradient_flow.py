"""Plots of gradient flow: the size of the gradient at every step, and its decay before one loss."""

from pathlib import Path
from typing import TYPE_CHECKING

from unrolled.inspection.names import called
from unrolled.inspection.records import GradientFlow
from unrolled.plots.curves import Points, draw_curves
from unrolled.plots.theme import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_state_gradients(flow: GradientFlow, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw `|dL/ds_t|` of every layer over time, on a logarithmic axis.

    Args:
        flow: from `unrolled.inspection.gradient_flow.gradient_flow`.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.
    """
    curves: dict[str, Points] = {}
    for layer in flow.layers:
        steps = range(1, len(layer.state_gradients) + 1)
        curves[called(layer.name, layer.cell)] = (list(steps), layer.state_gradients)
    title = "Norm of the loss's gradient at each state"
    return draw_curves(curves, title, "step t", "|dL/ds| at step t", log=True, path=path, theme=theme)


def draw_decay(flow: GradientFlow, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw the remaining share of one loss's gradient by the number of steps back, with a line at a hundredth."""
    curves: dict[str, Points] = {}
    for layer in flow.layers:
        if layer.decay is not None:
            curves[called(layer.name, layer.cell)] = (list(range(len(layer.decay.curve))), layer.decay.curve)
    return draw_curves(
        curves,
        "Share of one loss's gradient left, by steps back",
        "steps back",
        "share left",
        log=True,
        levels={"a hundredth": 0.01},
        path=path,
        theme=theme,
    )
