"""CIDEr-D beside a slow version written from the paper's sums."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.metrics.texts.cider import CiderD
from unrolled.metrics.texts.counted_words import words_of

caption = st.lists(st.sampled_from(["a", "red", "car", "on", "road", "日本", "Blue"]), max_size=9).map(" ".join)
data = st.lists(st.tuples(st.lists(caption, min_size=1, max_size=3), caption), min_size=1, max_size=5)


def runs(text, n):
    words = words_of(text)
    return [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]


def by_the_paper(truth, answers):
    """Vedantam et al. 2015: equation 1 for the weights, section 6 for the D, one n-gram of the language at a time."""
    scores = []
    for texts, answer in zip(truth, answers, strict=True):
        total = 0.0
        for n in range(1, 5):
            language = sorted({gram for text in [*texts, answer] for gram in runs(text, n)})

            def weights(text, n=n, language=language):
                vector = []
                for gram in language:
                    pictures = sum(any(gram in runs(other, n) for other in others) for others in truth)
                    vector.append(runs(text, n).count(gram) * math.log(len(truth) / max(1, pictures)))
                return vector

            for text in texts:
                said, true = weights(answer), weights(text)
                clipped = sum(min(a, b) * b for a, b in zip(said, true, strict=True))
                norm = math.hypot(*said) * math.hypot(*true)
                apart = len(words_of(answer)) - len(words_of(text))
                total += (clipped / norm if norm else 0.0) * math.exp(-(apart**2) / (2 * 6.0**2)) / len(texts)
        scores.append(10 * total / 4)
    return scores


@given(data)
def test_scores_are_those_of_the_papers_sums(pairs):
    truth, answers = [texts for texts, _ in pairs], [answer for _, answer in pairs]
    np.testing.assert_allclose(CiderD(truth)(answers), by_the_paper(truth, answers), rtol=1e-9, atol=1e-12)


def test_the_true_caption_of_enough_words_has_ten():
    truth = [["a red car on the road"], ["two blue birds in some tree"]]
    assert CiderD(truth)([texts[0] for texts in truth]) == pytest.approx([10, 10])


def test_words_that_all_pictures_share_say_nothing():
    truth = [["a picture of one cat"], ["a picture of two dogs"]]
    assert CiderD(truth)(["a picture of", "a picture of"]).tolist() == [0, 0]


def test_saying_a_good_word_again_and_again_does_not_pay():
    truth = [["one cat sleeps here"], ["two dogs play there"]]
    once, often = CiderD(truth)(["cat", "-"])[0], CiderD(truth)(["cat cat cat cat cat cat cat", "-"])[0]
    assert 0 < often < once


def test_an_empty_caption_scores_nothing_and_nobody_scores_nothing():
    assert CiderD([["a cat"], ["a dog"]])(["", "a dog"])[0] == 0
    assert CiderD([])([]).shape == (0,)
