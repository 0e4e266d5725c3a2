"""A page needs nothing beside itself, shows what it was given, and never destroys an older one."""

import errno
import os
import re
from pathlib import Path

import pytest

from unrolled.errors import ArtifactError
from unrolled.plots.curves import draw_curves
from unrolled.report.page import PagePicture, PageTable, Section, write_page, write_pictures

SECTION = Section(
    "A <title> & more",
    ("one < two",),
    (PageTable(("name", "value"), [("<b>bold</b>", "1.5")], "a caption"),),
    (
        PagePicture(
            "line",
            'a "line"',
            lambda theme: draw_curves({"up": ([1, 2], [3, 4])}, "Line", "along", "up", theme=theme),
        ),
    ),
)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    write_page(tmp_path / "new" / "page.html", "Title", "The lead.", [SECTION])
    return tmp_path / "new" / "page.html"


def test_nothing_is_fetched_and_nothing_runs(page):
    text = page.read_text(encoding="utf-8")
    addresses = re.findall(r'(?:src|srcset|href)="([^"]*)"', text)
    assert len(addresses) == 3  # the picture in both themes, and the way to its part
    assert all(address.startswith(("data:image/svg+xml;base64,", "#")) for address in addresses)
    assert "<script" not in text
    assert "@import" not in text


def test_both_themes_are_there_and_differ(page):
    dark, light = re.findall(r'"(data:[^"]*)"', page.read_text(encoding="utf-8"))
    assert dark != light


def test_what_is_shown_is_text_and_not_markup(page):
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "one &lt; two" in text
    assert "<b>" not in text
    assert 'alt="a &#34;line&#34;"' in text


def test_the_same_page_twice_is_the_same_file(page, tmp_path):
    write_page(tmp_path / "again.html", "Title", "The lead.", [SECTION])
    assert (tmp_path / "again.html").read_bytes() == page.read_bytes()


def test_a_page_that_cannot_be_written_leaves_the_older_one(page, monkeypatch):
    before = page.read_bytes()

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(ArtifactError, match="No space left on device"):
        write_page(page, "Other", "The lead.", [])
    assert page.read_bytes() == before
    assert list(page.parent.iterdir()) == [page]  # and nothing half written beside it


def test_a_place_that_cannot_be_written_is_said_in_one_sentence(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    with pytest.raises(ArtifactError, match="a place that can be written"):
        write_page(blocked / "page.html", "Title", "The lead.", [SECTION])
    with pytest.raises(ArtifactError, match="a place that can be written"):
        write_pictures(blocked / "pictures", [SECTION])


def test_every_picture_is_written_in_both_themes(tmp_path):
    paths = write_pictures(tmp_path / "pictures", [SECTION, SECTION])
    assert sorted({path.name for path in paths}) == ["line-dark.png", "line.png"]
    assert all(path.stat().st_size > 1000 for path in paths)
