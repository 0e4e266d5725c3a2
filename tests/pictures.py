"""What must hold of every picture: well-formed, nothing written over anything else, nothing cut off."""

from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


def written_texts(figure: Any) -> list[tuple[str, Any]]:
    """Every text that is drawn, with its box in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    ticks = {label: seen for axes in figure.axes for label, seen in _tick_labels(axes)}
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in figure.findobj(Text)
        if text.get_text().strip() and text.get_visible() and ticks.get(text, True)
    ]


def _tick_labels(axes: Any) -> list[tuple[Any, bool]]:
    """Tick labels, and whether they are drawn: those beyond the limits or of hidden axes are not."""
    found = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            inside = low - 1e-9 <= tick.get_loc() <= high + 1e-9 and axes.axison
            found += [(tick.label1, inside), (tick.label2, inside)]
    return found


def assert_legible(figure: Any) -> None:
    """No text lies over another or beyond the picture's edge."""
    texts = written_texts(figure)
    assert texts
    width, height = figure.get_size_inches() * figure.dpi
    cut = [text for text, box in texts if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height]
    assert not cut
    over = [
        (one, other)
        for (one, a), (other, b) in combinations(texts, 2)
        if a.x0 < b.x1 - 1 and b.x0 < a.x1 - 1 and a.y0 < b.y1 - 1 and b.y0 < a.y1 - 1
    ]
    assert not over


def svg_texts(path: Path) -> list[str]:
    """The texts of a well-formed SVG; a damaged one is a ParseError."""
    root = ET.parse(path).getroot()
    assert root.tag == f"{SVG}svg"
    return ["".join(element.itertext()).strip() for element in root.iter(f"{SVG}text")]
