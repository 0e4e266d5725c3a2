"""A page: sections of text, tables and pictures in one self-contained HTML file."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment

from unrolled.errors import ArtifactError
from unrolled.places import local_path
from unrolled.plots.theme import DARK, LIGHT, Theme, svg_of, write
from unrolled.report.whole_files import said_in_words, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TEMPLATE = "page.html.jinja"


@dataclass(frozen=True)
class PagePicture:
    """A picture in both themes.

    Args:
        name: of its file, without a suffix.
        caption: what it shows; also its alternative text.
        draw: makes the figure; takes the keyword argument `theme`.
        wide: on a small screen it keeps its size and can be scrolled.
    """

    name: str
    caption: str
    draw: Callable[..., "Figure"]
    wide: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table.

    Args:
        header: of the columns.
        rows: cells of each row, as text; as many as in the header.
        caption: what it shows.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Args:
        title: its heading.
        text: paragraphs.
        tables: after the text.
        pictures: after the tables.
    """

    title: str
    text: Sequence[str] = ()
    tables: Sequence[PageTable] = ()
    pictures: Sequence[PagePicture] = ()


def write_page(path: str | Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """Write a page, completely or not at all.

    Args:
        path: of the HTML file; its folder is created.
        title: heading of the page.
        lead: the summary at the top.
        sections: in order.

    Raises:
        ArtifactError: the file cannot be written.
    """
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        files("unrolled.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
    text = template.render(title=title, lead=lead, sections=sections, light=_inline(LIGHT), dark=_inline(DARK))
    write_whole(path, text)


def write_pictures(folder: str | Path, sections: Sequence[Section]) -> list[Path]:
    """Write every picture as PNG, light and dark, and return the files.

    Raises:
        ArtifactError: the folder cannot be written.
    """
    folder, written = local_path(folder, "out", ArtifactError), []
    with said_in_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for picture in (picture for section in sections for picture in section.pictures):
            for theme in (LIGHT, DARK):
                path = folder / f"{picture.name}{'' if theme is LIGHT else '-dark'}.png"
                write(picture.draw(theme=theme), path)
                written.append(path)
    return written


def _inline(theme: Theme) -> Callable[[PagePicture], str]:
    """Return a function that turns a picture into a data URL."""

    def address(picture: PagePicture) -> str:
        svg = svg_of(picture.draw(theme=theme)).encode()
        return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"

    return address
