"""Edit distances beside the table that defines them, and the error rates made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.metrics.texts.counted_words import is_unspaced, words_of, written_words
from unrolled.metrics.texts.edits import edit_distance, edits_of

few = st.text("ab 日\n", max_size=12)


def by_table(one, other):
    """Levenshtein's distance, entry by entry."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row = row, [i]
        for j, b in enumerate(other, 1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b)))
    return row[-1]


@given(few, few)
def test_the_distance_is_that_of_the_table(one, other):
    assert edit_distance(one, other) == by_table(one, other)


@given(st.text(max_size=150), st.text(max_size=150))
def test_longer_texts_of_any_characters_too(one, other):
    assert edit_distance(one, other) == by_table(one, other)


@given(st.lists(st.sampled_from(["to", "be", "or"]), max_size=9), st.lists(st.sampled_from(["to", "be"]), max_size=9))
def test_words_count_as_characters_do(one, other):
    assert edit_distance(one, other) == by_table(one, other)


def test_texts_of_ten_thousand_words_take_moments():
    words = [str(number % 977) for number in range(10_000)]
    assert edit_distance(words, words[5:]) == 5


@given(st.lists(st.tuples(st.lists(few, min_size=1, max_size=3), few), min_size=1, max_size=5))
def test_of_several_true_texts_the_nearest_by_rate_counts(pairs):
    truth, answers = [texts for texts, _ in pairs], [answer for _, answer in pairs]
    edits, lengths = edits_of(truth, answers, list)
    for row, (texts, answer) in enumerate(pairs):
        rates = [by_table(text, answer) / max(len(text), 1) for text in texts]
        assert edits[row] / max(lengths[row], 1) == pytest.approx(min(rates))
        assert lengths[row] in [len(text) for text in texts]


def test_nobody_answered_makes_no_edits():
    assert [part.shape for part in edits_of([], [], list)] == [(0,), (0,)]
    assert edits_of([], [], list)[0].dtype == np.int64


@given(st.text())
def test_words_hold_every_letter_and_digit_and_nothing_else(text):
    kept = "".join(sign for sign in text.lower() if sign.isalpha())
    assert kept == "".join(sign for sign in "".join(words_of(text)) if sign.isalpha())
    assert all(not word.isspace() and word for word in words_of(text))


@given(st.text("abc,. \n\t!é", max_size=30))
def test_written_words_are_what_white_space_separates(text):
    assert written_words(text) == text.split()


@pytest.mark.parametrize("text", ["你好世界", "こんにちは", "สวัสดี", "សួស្តី", "မြန်မာ"])
def test_scripts_without_spaces_are_known_and_each_sign_is_a_word(text):
    assert is_unspaced([text])
    assert len(words_of(text)) == len(text)


@pytest.mark.parametrize("text", ["hello world", "Привет, мир", "안녕하세요", "مرحبا", "नमस्ते", "12:30", ""])
def test_scripts_with_spaces_and_texts_without_letters_are_not_unspaced(text):
    assert not is_unspaced([text])
