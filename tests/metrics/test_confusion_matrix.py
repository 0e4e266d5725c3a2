"""The confusion matrix counts pairs, and shows them in a table, a picture and a report."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictures import assert_legible
from unrolled.errors import DataError, OptionError
from unrolled.metrics.confusion import MOST_CLASSES, Confusion, confusion
from unrolled.metrics.scores import IGNORED
from unrolled.plots.confusion import draw_confusion
from unrolled.plots.theme import DARK

NAMES = ["no", "yes", "maybe\nnot"]
pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30)


@given(pairs)
def test_every_pair_is_counted_where_it_belongs(answers):
    got = confusion([t for t, _ in answers], [g for _, g in answers], NAMES)
    for row in range(3):
        for column in range(3):
            assert got.counts[row, column] == answers.count((row, column))
    wrong = [got.counts[r, c] for r in range(3) for c in range(3) if r != c and got.counts[r, c]]
    assert [count for _, _, count in got.worst()] == sorted(wrong, reverse=True)


def test_rows_without_a_known_label_do_not_count():
    got = confusion(np.array([0, IGNORED, 1]), np.array([1, 0, 1]), NAMES[:2])
    assert got.counts.tolist() == [[0, 1], [0, 1]]


def test_a_class_that_does_not_occur_has_no_recall():
    got = confusion([0, 0, 1], [0, 1, 1], NAMES)
    assert got.recall[:2].tolist() == [0.5, 1.0]
    assert np.isnan(got.recall[2])
    assert str(got).splitlines()[-1].split()[-1] == "-"


@pytest.mark.parametrize(
    ("truth", "guess", "words"),
    [([0, 1], [0], "guess.*2"), ([3], [0], "truth.*below 3.*3"), ([0], [-1], "guess.*-1"), ([[0]], [[0]], "guess")],
)
def test_what_has_no_class_is_refused(truth, guess, words):
    with pytest.raises(DataError, match=words):
        confusion(truth, guess, NAMES)


def test_the_table_has_a_line_for_each_class_and_its_columns_are_aligned():
    counts = np.arange(9).reshape(3, 3) * 111
    lines = str(Confusion(tuple(NAMES), counts)).splitlines()
    assert [line.split()[0] for line in lines] == ["true", "1", "2", "3"]
    assert lines[3].startswith("3 maybe not")
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split()[2:5] == ["333", "444", "555"]


def test_long_names_are_cut_and_no_class_is_a_table_too():
    assert "…" in str(Confusion(("a" * 99, "b"), np.eye(2, dtype=int)))
    assert len(str(confusion([], [], [])).splitlines()) == 1


def test_of_many_classes_the_pairs_confused_most_are_listed():
    size = MOST_CLASSES + 1
    counts = 9 * np.eye(size, dtype=int)
    assert str(Confusion(tuple(map(str, range(size))), counts)) == "nothing was taken for anything else"
    counts[3, 5], counts[5, 3] = 2, 1000
    shown = str(Confusion(tuple(map(str, range(size))), counts))
    assert shown.splitlines() == ["1,000 x 5 taken for 3", "2 x 3 taken for 5"]


def test_it_is_plain_json():
    text = json.dumps(confusion([0], [1], NAMES).to_json(), allow_nan=False)
    assert json.loads(text) == {"classes": NAMES, "counts": [[0, 1, 0], [0, 0, 0], [0, 0, 0]]}


@pytest.mark.parametrize("size", [1, 6, MOST_CLASSES])
def test_the_picture_writes_every_count_that_is_not_zero(size, tmp_path):
    counts = np.triu(np.full((size, size), 7))
    names = tuple(f"$class$ {'long ' * place}" for place in range(size))
    figure = draw_confusion(Confusion(names, counts), tmp_path / "c.png", DARK)
    if size < MOST_CLASSES:  # looking at every pair of 200 numbers takes half a minute
        assert_legible(figure)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["7"] * int((counts > 0).sum())
    assert [label.get_text() for label in axes.get_xticklabels()] == [str(n + 1) for n in range(size)]
    assert (tmp_path / "c.png").stat().st_size > 1000


@pytest.mark.parametrize("size", [0, MOST_CLASSES + 1])
def test_a_picture_of_too_many_or_no_classes_is_refused(size):
    with pytest.raises(OptionError, match=f"1 to {MOST_CLASSES} classes.*{size}"):
        draw_confusion(Confusion(tuple(map(str, range(size))), np.eye(size, dtype=int)))
