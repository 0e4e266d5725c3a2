"""The checks of pictures check: they see text that overlaps, is cut off, or is not in the file."""

from xml.etree import ElementTree as ET

import pytest

from pictures import assert_legible, svg_texts
from unrolled.plots.theme import LIGHT, new_axes, new_figure


def a_figure(*places):
    figure = new_figure(3, 2, LIGHT)
    for x, y in places:
        figure.text(x, y, "a word")
    return figure


def test_text_that_overlaps_or_is_cut_off_is_seen():
    assert_legible(a_figure((0.1, 0.1), (0.1, 0.5)))
    for places in [((0.1, 0.1), (0.15, 0.12)), ((0.95, 0.5),), ((0.1, -0.05),)]:
        with pytest.raises(AssertionError):
            assert_legible(a_figure(*places))


def test_crowded_tick_labels_are_seen_and_those_outside_are_not():
    figure = new_figure(3, 3, LIGHT)
    axes = new_axes(figure, LIGHT)
    axes.set_xticks([0, 0.5, 1, 99], ["one", "two", "three", "far away"])
    axes.set(xlim=(0, 1), ylim=(0, 1), yticks=[])
    assert_legible(figure)
    axes.set_xticks([0, 0.05], ["a long label", "another one"])
    with pytest.raises(AssertionError):
        assert_legible(figure)


def test_a_damaged_file_is_seen(tmp_path):
    (tmp_path / "a.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><text>a</text>")
    with pytest.raises(ET.ParseError):
        svg_texts(tmp_path / "a.svg")
