"""Plots of saliency: the importance of each step for an answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unrolled.inspection.saliency import Saliency
from unrolled.plots.bands import draw_bands
from unrolled.plots.theme import LIGHT, Theme, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_saliency(
    saliency: Saliency, labels: Sequence[str] = (), path: str | Path | None = None, theme: Theme = LIGHT
) -> "Figure":
    """Draw the importance of every step, by gradient and by occlusion, each relative to its largest.

    Args:
        saliency: from `unrolled.inspection.saliency.saliency`.
        labels: input of each step, (T,).
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: a path with another ending.

    Example:
        >>> figure = draw_saliency(Saliency((0.1, -2.0), (0.0, 1.0), None, -0.1), labels="ab")
        >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ['gradient', 'occlusion']
    """
    rows = {"gradient": _shares(saliency.gradient), "occlusion": _shares(saliency.occlusion)}
    answer = "the answer" if saliency.at is None else f"the answer at step {saliency.at + 1}"
    title = f"Contribution of each step to {answer}"
    return write(draw_bands(rows, labels, title, theme, theme.diverging, (-1.0, 1.0)), path)


def _shares(values: Sequence[float]) -> np.ndarray:
    numbers = np.array(values)
    return numbers / (np.abs(numbers).max() or 1.0)
