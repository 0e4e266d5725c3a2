"""Drawn shapes: whole, on one scale, with gaps where the pen is lifted, under legible names."""

import numpy as np
import pytest

from pictures import assert_legible, svg_texts
from unrolled.errors import OptionError, ShapeError
from unrolled.plots.shapes import draw_shapes
from unrolled.plots.theme import DARK

SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])


@pytest.mark.parametrize("count", [1, 3, 8, 20])
def test_every_shape_lies_whole_in_its_field(count):
    rng = np.random.default_rng(0)
    groups = {name: [rng.normal(size=(9, 2)) * size for size in rng.uniform(0.1, 9, count)] for name in ("one", "two")}
    figure = draw_shapes(groups, theme=DARK)
    assert_legible(figure)
    assert len(figure.axes) == 2 * count
    for axes in figure.axes:
        (line,) = axes.lines
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        x, y = line.get_xdata(), line.get_ydata()
        assert left < x.min() <= x.max() < right
        assert low < y.min() <= y.max() < high
        assert 0 <= axes.get_position().x0 < axes.get_position().x1 <= 1
        assert 0 <= axes.get_position().y0 < axes.get_position().y1 <= 1


def test_all_shapes_share_one_scale():
    small, large = draw_shapes({"": [SQUARE, 5 * SQUARE]}).axes
    assert np.ptp(small.get_xlim()) == pytest.approx(np.ptp(large.get_xlim()))
    assert np.ptp(small.get_xlim()) == pytest.approx(np.ptp(small.get_ylim()))


def test_a_lifted_pen_leaves_a_gap():
    (axes,) = draw_shapes({"": [np.column_stack([SQUARE, [0, 1, 0, 0, 1]])]}).axes
    assert [line.get_xdata().tolist() for line in axes.lines] == [[0, 1], [1, 0, 0]]


def test_offsets_are_summed():
    (axes,) = draw_shapes({"": [np.diff(SQUARE, axis=0, prepend=0)]}, offsets=True).axes
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), SQUARE)


def test_fields_that_hold_nothing_are_drawn(tmp_path):
    figure = draw_shapes(
        {"a group without shapes": [], "<&> a shape without points": [[]], "a point": [[[1, 2]]]}, tmp_path / "a.svg"
    )
    assert len(figure.axes) == 2
    assert "<&> a shape without points" in svg_texts(tmp_path / "a.svg")


def test_rows_of_another_width_and_no_fields_are_refused():
    with pytest.raises(ShapeError, match=r"rows of x and y.*received shape \(1, 4\)"):
        draw_shapes({"": [[[1, 2, 3, 4]]]})
    with pytest.raises(OptionError, match="across"):
        draw_shapes({"": [SQUARE]}, across=0)
