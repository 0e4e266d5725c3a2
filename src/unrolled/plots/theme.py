"""Shared parts of all pictures: two themes, fonts, colour maps, and making and writing figures."""

import warnings
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrolled.errors import OptionError, UnsupportedError, message
from unrolled.places import local_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

FONT = ("DejaVu Sans", "sans-serif")  # the first comes with matplotlib, and has superscript and subscript digits
BIG, SMALL = 11.0, 9.0  # points; the smaller one is still readable on a phone
INCH = 72.0  # points per inch
NARROW = 0.2  # of the font size: narrower than any letter
DPI = 150
WIDTH = 5.2  # default width in inches: on a phone small text is then 9 pixels high
FORMATS = (".svg", ".png", ".pdf")
# characters after "_" and "^" in labels, as Unicode subscripts and superscripts: text stays searchable
LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
RAISED = str.maketrans("0123456789+-()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾")
VISIBLE = str.maketrans({" ": "␣", "\n": "↵", "\t": "⇥", "\r": "↵"})


@dataclass(frozen=True)
class Theme:
    """The colours of a picture, by purpose.

    Lines use Okabe and Ito's palette, which colour-blind readers can distinguish; on dark backgrounds it is lighter.

    Args:
        name: "light" or "dark".
        background: of the whole picture.
        ink: text and outlines.
        muted: less important parts, such as axes.
        lines: colours in the order of use.
        warning: the most important part.

    Source: M. Okabe and K. Ito, "Color Universal Design", 2008, section on palettes.
    """

    name: str
    background: str
    ink: str
    muted: str
    lines: tuple[str, ...]
    warning: str

    def tint(self, color: str, share: float = 0.25) -> tuple[float, ...]:
        """Mix a colour with the background; `share` of it remains."""
        from matplotlib.colors import to_rgb

        return tuple(share * a + (1 - share) * b for a, b in zip(to_rgb(color), to_rgb(self.background), strict=True))

    @property
    def diverging(self) -> "Colormap":
        """Colour map from negative through zero, which is the background, to positive."""
        return _colormap(self.lines[0], self.background, self.lines[1])

    @property
    def sequential(self) -> "Colormap":
        """Colour map from zero to large values."""
        return _colormap(self.background, self.lines[0])


BLUE, ORANGE, GREEN, SKY, PURPLE = range(5)  # indices of a theme's lines
LIGHT = Theme(
    "light", "#ffffff", "#1c1c1c", "#6b6b6b", ("#0072b2", "#d98200", "#009e73", "#56b4e9", "#b3588c"), "#c44e00"
)
DARK = Theme(
    "dark", "#16181d", "#ececec", "#a0a4ab", ("#4aa8e0", "#f0ad1f", "#2bc39a", "#8bcdf5", "#e39bc3"), "#ff8142"
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def new_figure(width: float, height: float, theme: Theme) -> "Figure":
    """Make an empty figure of a size in inches, without a window and in no global list.

    Raises:
        UnsupportedError: matplotlib is not installed.
    """
    _need_matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI, facecolor=theme.background)


def new_axes(figure: "Figure", theme: Theme, *place: Any, **options: Any) -> "Axes":
    """Add axes in the theme's colours, as `Figure.add_subplot` does."""
    axes = figure.add_subplot(*place, facecolor=theme.background, **options)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(theme.muted)
    axes.tick_params(colors=theme.muted, labelcolor=theme.ink, labelsize=SMALL)
    return axes


def write(figure: "Figure", path: str | Path | None) -> "Figure":
    """Write a figure as SVG, PNG or PDF by the ending of the path, if there is one; return it.

    Text in an SVG stays text, and the same picture is the same file.

    Raises:
        OptionError: another ending.
    """
    import matplotlib as mpl

    if path is None:
        return figure
    path = local_path(path, "path", OptionError)
    if path.suffix.lower() not in FORMATS:
        raise OptionError(message("path", expected=f"a name ending in {', '.join(FORMATS)}", received=path.name))
    dateless = {"Date": None} if path.suffix.lower() == ".svg" else None
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "unrolled"}), warnings.catch_warnings():
        # a character that the font lacks is a box in a PNG, but correct in an SVG
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(path, dpi=DPI, metadata=dateless)
    return figure


def svg_of(figure: "Figure") -> str:
    """Return a figure as SVG that looks the same everywhere, with letters drawn as shapes."""
    import io

    import matplotlib as mpl

    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": "unrolled"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue().decode()


def written(label: str) -> str:
    """Format a label: an index after "_" as subscript, a layer after "^" as superscript.

    >>> written("s'_12^(2)"), written("J = J_1 + ... + J_3")
    ('s′₁₂⁽²⁾', 'J = J₁ + … + J₃')
    """
    shown, place = "", 0
    while place < len(label):
        mark = label[place]
        place += 1
        if mark in "_^":
            end = place
            while end < len(label) and label[end] in ("0123456789" if mark == "_" else "0123456789()"):
                end += 1
            shown += label[place:end].translate(LOWERED if mark == "_" else RAISED)
            place = end
        else:
            shown += mark
    return shown.replace("'", "′").replace("...", "…")


def visible(text: str) -> str:
    """Return text on one line, with visible spaces and line ends.

    >>> visible("a b"), visible(chr(10))
    ('a␣b', '↵')
    """
    return text.translate(VISIBLE)


def width_of(text: str, size: float = BIG) -> float:
    """Return the width of a line of text in inches; UnsupportedError without matplotlib."""
    _need_matplotlib()
    return _width(text, size)


def shortened(text: str, width: float, size: float = SMALL) -> str:
    """Shorten a text to a width in inches, with a mark."""
    most = int(width * INCH / (NARROW * size)) + 2  # more letters than this cannot fit
    if len(text) <= most and width_of(text, size) <= width:
        return text
    fits, high = 0, min(len(text), most)
    while fits < high:
        middle = (fits + high + 1) // 2
        if width_of(f"{text[:middle]}…", size) <= width:
            fits = middle
        else:
            high = middle - 1
    return f"{text[:fits]}…"


def _need_matplotlib() -> None:
    try:
        import_module("matplotlib.figure")
    except ImportError as fault:
        raise UnsupportedError("drawing needs matplotlib; pip install matplotlib") from fault


@cache
def _width(text: str, size: float) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    if not text.strip():
        return 0.3 * size / INCH * len(text)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
        font = FontProperties(family=list(FONT), size=size)
        width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
        return float(width) / INCH


@cache
def _colormap(*colors: str) -> "Colormap":
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("-".join(colors), colors)
