"""Plots of attention on pictures: one panel per word, and sheets of pictures with their captions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from unrolled.errors import OptionError, message
from unrolled.inspection.alignment import Working
from unrolled.plots.theme import FONT, LIGHT, SMALL, WIDTH, Theme, new_figure, shortened, visible, width_of, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ACROSS = 4  # panels per row
MARGIN, NAME, TITLE = 0.07, 0.24, 0.38  # inches around a panel, for the word above it, and for the title
VEIL, THICK = 0.5, 0.75  # grey level of the veil over parts without attention, and its maximum opacity
PICTURE, STRIP = 1.05, 0.5  # inches of a picture on a sheet, and of the small ones next to it
LINE = 0.17  # inches of a line of text
LINES = 3  # maximum lines of a text on a sheet
MOST_PANELS = 39
FINE = 128  # minimum pixels of a panel's side


def draw_looks(working: Working, path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw the picture, and again for each word with a grey veil over the parts without attention.

    The opacity of the veil depends on the attention relative to its largest value for this word, interpolated between
    places. Of long answers the first words are shown.

    Args:
        working: from `Captioner.workings`.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: no picture, a model without attention, or a path with another ending.
    """
    picture, words, looks = _looks_of(working)
    shown = words[:MOST_PANELS]
    names = ["picture", *shown] if len(shown) == len(words) else ["picture", *shown[:-1], "…"]
    across = min(ACROSS, len(names))
    field = WIDTH / ACROSS
    rows = -(-len(names) // across)
    height = TITLE + rows * (field + NAME)
    figure = new_figure(WIDTH, height, theme)
    _title(figure, f"Attention of each word: {on_one_line(working.answer)}", theme)
    for place, name in enumerate(names):
        low = height - TITLE - (place // across + 1) * (field + NAME)
        box = (place % across * field + MARGIN, low + MARGIN, field - 2 * MARGIN, field - 2 * MARGIN)
        _panel(figure, box, _veiled(picture, looks[place - 1], FINE) if place else picture, theme)
        middle = box[0] + box[2] / 2
        said = shortened(visible(name), field - MARGIN)
        color = theme.ink if place else theme.muted
        _text(figure, middle, low + field + 0.08, said, color, ha="center")
    return write(figure, path)


def draw_sheet(workings: Sequence[Working], path: str | Path | None = None, theme: Theme = LIGHT) -> "Figure":
    """Draw pictures below each other, each with its generated text, the true text, and the attention of each word.

    Args:
        workings: from `Captioner.workings`; up to about twenty fit a readable sheet.
        path: file to write, .svg, .png or .pdf; None = no file.
        theme: `LIGHT` or `DARK`.

    Raises:
        OptionError: nothing to draw, a record without a picture, or a path with another ending.
    """
    if not workings:
        raise OptionError(message("workings", expected="at least one", received="none"))
    left = PICTURE + 3 * MARGIN
    texts = [_texts(one, WIDTH - left - MARGIN) for one in workings]
    heights = [_height(one, lines) for one, lines in zip(workings, texts, strict=True)]
    height = TITLE + sum(heights) + MARGIN
    figure = new_figure(WIDTH, height, theme)
    right = sum(one.answer == one.true for one in workings)
    told = f", {right} with exactly the true caption" if any(one.true for one in workings) else ""
    _title(figure, f"{len(workings)} picture{'s' * (len(workings) > 1)}{told}", theme)
    top = height - TITLE
    for one, lines, high in zip(workings, texts, heights, strict=True):
        picture = _picture_of(one)
        _panel(figure, (MARGIN, top - PICTURE - MARGIN, PICTURE, PICTURE), picture, theme)
        y = top - MARGIN - LINE / 2
        for line, told in lines:
            _text(figure, left, y, line, theme.ink if told == "written" else theme.muted)
            y -= LINE
        if one.alignment is not None:
            _strip(figure, one, left, y + LINE / 2 - MARGIN, theme)
        top -= high
    return write(figure, path)


def _looks_of(working: Working) -> tuple[np.ndarray, list[str], list[np.ndarray]]:
    """Return the picture, the words, and each word's attention as a grid."""
    picture = _picture_of(working)
    if working.alignment is None:
        raise OptionError(message("working", expected="from a model with attention", received="one without attention"))
    grid = working.alignment.grid
    return picture, list(working.alignment.written), [row.reshape(grid) for row in working.alignment.weights]


def _picture_of(working: Working) -> np.ndarray:
    if working.picture is None:
        raise OptionError(message("working", expected="a picture", received="a record without one"))
    return working.picture


def _veiled(picture: np.ndarray, weights: np.ndarray, least: int = 1) -> np.ndarray:
    """Return a picture (S, S, 3) from 0 to 1, grey where the weights (h, w) are small; at least `least` pixels wide."""
    colors = _colors(picture)  # (S, S, 3)
    times = -(-least // len(colors))
    colors = colors.repeat(times, 0).repeat(times, 1)
    share = grown(weights, colors.shape[:2])
    veil = THICK * (1 - share / (share.max() or 1.0))[:, :, None]  # (S, S, 1)
    return (1 - veil) * colors + veil * VEIL


def grown(weights: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Interpolate a grid of values to pixels; each value is at the centre of its place.

    Example:
        >>> grown(np.array([[0.0, 1.0]]), (1, 4)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    for axis, count in enumerate(size):
        places = weights.shape[axis]
        at = ((np.arange(count) + 0.5) * places / count - 0.5).clip(0, places - 1)
        low = np.floor(at).astype(int)
        high, part = np.minimum(low + 1, places - 1), at - low
        part = part[:, None] if axis == 0 else part[None]
        weights = weights.take(low, axis) * (1 - part) + weights.take(high, axis) * part
    return weights


def _colors(picture: np.ndarray) -> np.ndarray:
    colors = picture / 255.0
    return np.repeat(colors[:, :, None], 3, 2) if colors.ndim == 2 else colors


def _panel(figure: "Figure", box: tuple[float, float, float, float], picture: np.ndarray, theme: Theme) -> None:
    width, height = figure.get_size_inches()
    axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
    colors = _colors(picture) if picture.dtype == np.uint8 else picture
    axes.imshow(colors, aspect="auto", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(theme.tint(theme.muted, 0.5))


# ---- a sheet --------------------------------------------------------------------------------------------


def _texts(working: Working, width: float) -> list[tuple[str, str]]:
    """Return the lines of the generated and the true text, each with its kind."""
    parts = [("written", working.answer)]
    if working.true:
        parts.append(("true", working.true))
    return [(line, kind) for kind, text in parts for line in _wrapped(f"{kind}: {on_one_line(text)}", width)]


def _wrapped(text: str, width: float) -> list[str]:
    """Wrap a text to at most `LINES` lines; omissions are marked."""
    lines = [""]
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if width_of(longer, SMALL) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    kept = lines[:LINES]
    if len(lines) > LINES:
        kept[-1] += " …"
    return [shortened(line, width) for line in kept]


def _height(working: Working, lines: Sequence[Any]) -> float:
    beside = LINE * len(lines) + (0 if working.alignment is None else STRIP + NAME + MARGIN)
    return max(PICTURE, beside) + 3 * MARGIN


def _strip(figure: "Figure", working: Working, left: float, top: float, theme: Theme) -> None:
    """Draw a small picture per word, with the word below it."""
    picture, words, looks = _looks_of(working)
    room = int((WIDTH - left - MARGIN) / (STRIP + 0.05))
    shown = words if len(words) <= room else words[: room - 1]
    for place, word in enumerate(shown):
        x = left + place * (STRIP + 0.05)
        _panel(figure, (x, top - STRIP, STRIP, STRIP), _veiled(picture, looks[place]), theme)
        _text(figure, x + STRIP / 2, top - STRIP - 0.11, shortened(visible(word), STRIP), theme.ink, ha="center")
    if len(shown) < len(words):
        x = left + len(shown) * (STRIP + 0.05)
        _text(figure, x + STRIP / 2, top - STRIP / 2, f"+{len(words) - len(shown)}", theme.muted, ha="center")


# ---- text -----------------------------------------------------------------------------------------------


def on_one_line(text: str) -> str:
    """Join a text to one line; "nothing" if it is empty."""
    return " ".join(text.split()) or "nothing"


def _title(figure: "Figure", text: str, theme: Theme) -> None:
    _text(
        figure, 0.12, figure.get_size_inches()[1] - 0.2, shortened(text, WIDTH - 0.45, SMALL + 1), theme.ink, SMALL + 1
    )


def _text(figure: "Figure", x: float, y: float, text: str, color: str, size: float = SMALL, ha: str = "left") -> None:
    width, height = figure.get_size_inches()
    figure.text(
        x / width, y / height, text, color=color, fontsize=size, ha=ha, va="center", family=FONT, parse_math=False
    )
