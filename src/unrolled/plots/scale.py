"""The colour scale at the bottom of a picture."""

from typing import TYPE_CHECKING

from unrolled.plots.theme import SMALL, Theme

if TYPE_CHECKING:
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure


def draw_scale(
    figure: "Figure", theme: Theme, colors: "Colormap", limits: tuple[float, float], left: float, says: str = ""
) -> None:
    """Draw a strip of all colours with three numbers, in the lowest 0.4 inches.

    Args:
        figure: the picture.
        theme: colours of the text.
        colors: map from values to colours.
        limits: the values of the first and the last colour.
        left: inches from the left edge.
        says: label to the right of the strip.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    width, height = figure.get_size_inches()
    bar = figure.add_axes((left / width, 0.3 / height, 1.6 / width, 0.1 / height))
    ticks = [limits[0], sum(limits) / 2, limits[1]]
    scale = figure.colorbar(ScalarMappable(Normalize(*limits), colors), cax=bar, orientation="horizontal", ticks=ticks)
    scale.ax.tick_params(labelsize=SMALL - 1, labelcolor=theme.ink, color=theme.muted, length=2, pad=1)
    scale.ax.set_xticklabels([f"{tick:.2g}" for tick in ticks])
    scale.outline.set_edgecolor(theme.muted)
    if says:
        figure.text((left + 1.8) / width, 0.35 / height, says, color=theme.ink, fontsize=SMALL, va="center")
