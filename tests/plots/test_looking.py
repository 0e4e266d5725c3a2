"""Pictures of attention: legible, complete, and their colours are the numbers."""

import numpy as np
import pytest

from pictures import assert_legible, svg_texts, written_texts
from unrolled.errors import OptionError
from unrolled.inspection.alignment import Alignment, Working
from unrolled.plots.alignment import draw_alignment
from unrolled.plots.attention_maps import VEIL, draw_looks, draw_sheet, grown
from unrolled.plots.theme import DARK, LIGHT, visible

LONG = ["internationalisation", "extraordinarily"]
WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", *LONG]


def weights_of(rows, columns, seed=0):
    drawn = np.random.default_rng(seed).random((rows, columns)) ** 4
    return drawn / drawn.sum(1, keepdims=True)


def an_alignment(read, written, grid=(0, 0)):
    places = len(read) or grid[0] * grid[1]
    return Alignment(tuple(read), tuple(written), weights_of(len(written), places), grid)


def pieces(count, kind="words"):
    many = (WORDS * 20)[:count] if kind == "words" else (list("a b\ncd$_^") * 20)[:count]
    return many


# ---- matrices --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "theme"), [("words", LIGHT), ("letters", DARK)])
@pytest.mark.parametrize(("read", "written"), [(1, 1), (5, 3), (3, 12), (30, 2), (70, 50)])
def test_a_matrix_is_legible_at_every_size(read, written, kind, theme):
    alignment = an_alignment(pieces(read, kind), pieces(written, kind))
    assert_legible(draw_alignment(alignment, "a title $that$ is " + "long " * 30, theme=theme))


def test_the_colours_are_the_attention():
    alignment = an_alignment("abc", "xy")
    figure = draw_alignment(alignment)
    image = figure.axes[0].images[0]
    np.testing.assert_allclose(image.get_array(), alignment.weights)
    assert image.get_clim() == (0.0, 1.0)
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["a", "b", "c"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["x", "y"]


def test_more_attention_is_further_from_the_ground_in_both_themes():
    for theme in (LIGHT, DARK):
        shades = theme.sequential(np.linspace(0, 1, 9))[:, :3].sum(1)
        steps = np.diff(shades)
        assert (steps < 0).all() if theme is LIGHT else (steps > 0).all()


@pytest.mark.parametrize(("read", "written"), [(70, 4), (4, 70), (70, 70)])
def test_what_is_left_out_of_a_long_text_is_added_up_and_said(read, written):
    alignment = an_alignment(pieces(read), pieces(written))
    figure = draw_alignment(alignment)
    shown = np.asarray(figure.axes[0].images[0].get_array())
    assert max(shown.shape) < 40
    np.testing.assert_allclose(shown.sum(1), 1, rtol=1e-9)
    said = [text for text, _ in written_texts(figure)]
    assert said.count("…") == (read == 70) + (written == 70)
    hidden = read - shown.shape[1] + 1
    assert any(f"read; … is {hidden} pieces" in text for text in said) is (read == 70)
    assert any("averaged" in text for text in said) is (written == 70)


def test_spaces_at_the_ends_of_a_piece_are_seen(tmp_path):
    draw_alignment(an_alignment([" the", "<&>"], ["\n", "a b"]), path=tmp_path / "a.svg")
    assert {visible(" the"), "<&>", "↵", "a b"} <= set(svg_texts(tmp_path / "a.svg"))


@pytest.mark.parametrize(
    "alignment", [an_alignment("", "ab", (2, 2)), an_alignment("ab", ""), Alignment((), (), np.zeros((0, 0)))], ids=str
)
def test_a_matrix_of_nothing_is_refused(alignment):
    with pytest.raises(OptionError, match="pieces that were read and written"):
        draw_alignment(alignment)


# ---- pictures --------------------------------------------------------------------------------------------


def a_working(words, picture=None, true="", grid=(4, 4), attends=True):
    picture = np.full((16, 16, 3), 255, dtype=np.uint8) if picture is None else picture
    alignment = an_alignment("", words, grid) if attends else None
    return Working(3, "", " ".join(words), true, alignment, picture)


@pytest.mark.parametrize(("count", "theme"), [(0, LIGHT), (1, DARK), (6, LIGHT), (60, DARK)])
def test_there_is_a_panel_for_each_word_and_one_for_the_picture(count, theme):
    figure = draw_looks(a_working(pieces(count)), theme=theme)
    assert_legible(figure)
    assert len(figure.axes) == min(count, 39) + 1
    said = [text for text, _ in written_texts(figure)]
    assert "picture" in said
    assert {"the", "quick"} <= set(said) or count < 2
    assert ("…" in said) is (count == 60)


def test_what_was_looked_at_is_clear_and_the_rest_under_a_veil():
    picture = np.full((16, 16, 3), 255, dtype=np.uint8)
    weights = np.zeros((1, 16))
    weights[0, 5] = 1.0  # second row, second column of places
    working = Working(0, "", "here", "", Alignment((), ("here",), weights, (4, 4)), picture)
    shown = np.asarray(draw_looks(working).axes[1].images[0].get_array())
    side = len(shown)
    middle = shown[side * 3 // 8, side * 3 // 8]
    np.testing.assert_allclose(middle, 1, atol=0.1)
    assert (abs(shown[side * 7 // 8, side * 7 // 8] - VEIL) < 0.2).all()
    unlike = np.argwhere(shown[:, :, 0] > 0.9)
    assert (unlike.mean(0) / side).tolist() == pytest.approx([3 / 8, 3 / 8], abs=0.02)


def test_even_attention_leaves_the_picture_as_it_is():
    picture = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16)
    working = Working(0, "", "all", "", Alignment((), ("all",), np.full((1, 16), 1 / 16), (4, 4)), picture)
    shown = np.asarray(draw_looks(working).axes[1].images[0].get_array())
    times = len(shown) // 16
    np.testing.assert_allclose(shown[::times, ::times, 0], picture / 255, atol=1e-9)


def test_grown_grids_keep_their_mean_and_their_largest_place():
    grid = weights_of(3, 4)
    large = grown(grid, (24, 32))
    assert large.shape == (24, 32)
    assert large.mean() == pytest.approx(grid.mean(), rel=0.05)
    row, column = np.unravel_index(large.argmax(), large.shape)
    assert (row // 8, column // 8) == np.unravel_index(grid.argmax(), grid.shape)


@pytest.mark.parametrize(("attends", "theme"), [(True, LIGHT), (False, DARK)])
def test_a_sheet_of_twenty_pictures_is_legible_and_says_what_is_true(attends, theme):
    rows = [a_working(pieces(1 + row), true=" ".join(pieces(1 + row // 2 * 2)), attends=attends) for row in range(20)]
    figure = draw_sheet(rows, theme=theme)
    assert_legible(figure)
    said = [text for text, _ in written_texts(figure)]
    assert sum(text.startswith("written: ") for text in said) == sum(text.startswith("true: ") for text in said) == 20
    assert any("20 pictures, 10 with exactly" in text for text in said)
    panels = sum(min(1 + row, 7) if attends else 0 for row in range(20))
    assert 20 <= len(figure.axes) <= 20 + panels


def test_a_sheet_without_true_texts_says_nothing_about_them():
    figure = draw_sheet([a_working(["a"]), a_working([])])
    assert_legible(figure)
    assert not any("true" in text for text, _ in written_texts(figure))


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: draw_sheet([]), "at least one"),
        (lambda: draw_sheet([Working(0, "x", "y", "", None)]), "a picture"),
        (lambda: draw_looks(Working(0, "x", "y", "", None)), "a picture"),
        (lambda: draw_looks(a_working(["a"], attends=False)), "attention"),
        (lambda: draw_looks(a_working(["a"]), "a.gif"), r"\.svg, \.png"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(act, words):
    with pytest.raises(OptionError, match=words):
        act()
