"""Baselines for text to text and for captions, beside what one can check by hand."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unrolled.baselines.captions import SIDE, NearestPicture
from unrolled.baselines.lead_sentence import LeadSentence, first_sentence
from unrolled.baselines.registry import caption_baselines, translation_baselines
from unrolled.baselines.retrieval import RUNS, WORDS, NearestSource
from unrolled.baselines.translation import CopySource, LeadWords, MostFrequentAnswer
from unrolled.errors import DataError
from unrolled.metrics.texts.counted_words import first_words, written_words

texts = st.lists(st.text("ab c.日\n", max_size=12), min_size=1, max_size=6)


# ---- rules -------------------------------------------------------------------------------------------


@given(texts)
def test_a_copy_is_the_text_itself(sources):
    assert CopySource().fit([], []).predict(sources) == sources


@given(st.text("ab c.日\n", max_size=20), st.integers(0, 9))
def test_first_words_are_a_beginning_of_the_text_and_so_many(text, count):
    got = first_words(text, count)
    assert written_words(got) == written_words(text)[:count]
    assert text.strip().startswith(got)


def test_as_many_words_lead_as_the_median_answer_has():
    model = LeadWords().fit(["x"] * 3, ["one", "one two", "one two three four five"])
    assert model.predict(["a  b c d", "a", ""]) == ["a  b", "a", ""]
    assert model.name == "first 2 words of the source"
    assert LeadWords().fit(["x"], ["短い"]).predict(["日本語です"]) == ["日本"]


def test_without_words_in_answers_none_lead():
    assert LeadWords().fit(["x", "y"], ["", ""]).predict(["a b"]) == [""]
    assert LeadWords().fit([], []).predict(["a b"]) == [""]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Rain fell. Then the sun came.", "Rain fell."),
        ("It cost 3.50, e.g. in Rome. Why?", "It cost 3.50, e.g. in Rome."),
        ('"Stop!" he said. They did.', '"Stop!" he said.'),
        ("J. R. Doe left.\nMore", "J. R. Doe left."),
        ("A title\nThe text.", "A title"),
        ("雨が降った。晴れた。", "雨が降った。"),
        ("no end", "no end"),
        ("", ""),
    ],
)
def test_the_first_sentence_leads(text, first):
    assert LeadSentence().fit([], []).predict([text]) == [first]


def test_the_first_sentence_is_a_baseline_of_long_texts_only():
    assert "lead_sentence" in translation_baselines(["One is here. Two is here.", "One. Two.", "x"])
    assert "lead_sentence" not in translation_baselines(["One is here.", "two", "One. Two."])


@given(st.text('a .。\n"!', max_size=40))
def test_a_first_sentence_is_a_beginning(text):
    assert text.strip().startswith(first_sentence(text))


def test_the_most_frequent_answer_is_given_and_ties_go_by_the_alphabet():
    assert MostFrequentAnswer().fit(["x"] * 3, ["b", "a", "b"]).predict(["?", "!"]) == ["b", "b"]
    assert MostFrequentAnswer().fit(["x"] * 2, ["b", "a"]).predict(["?"]) == ["a"]
    assert MostFrequentAnswer().fit([], []).predict(["?"]) == [""]
    assert MostFrequentAnswer("caption").name == "most frequent caption"


# ---- retrieval ---------------------------------------------------------------------------------------


def test_a_known_source_has_its_most_frequent_answer():
    sources = ["open the file", "open the door", "open the file", "open the file"]
    model = NearestSource().fit(sources, ["x", "y", "z", "z"])
    assert model.predict(["open the file", "Open the DOOR!"]) == ["z", "y"]


def test_rare_words_count_more_than_common_ones():
    sources = [f"please show me item {number} of the list" for number in range(30)]
    model = NearestSource().fit(sources, [f"#{number}" for number in range(30)])
    assert model.predict(["17", "of item the me show please 4"]) == ["#17", "#4"]


def test_what_shares_nothing_gets_the_most_frequent_answer():
    model = NearestSource().fit(["red car", "blue car", "green tree"], ["c", "c", "t"])
    assert model.predict(["zzz qqq", ""]) == ["c", "c"]


def test_single_words_and_unspaced_texts_are_compared_by_characters_and_the_name_says_so():
    sums = NearestSource().fit(["10+25", "99+1", "7+70"], ["35", "100", "77"])
    assert RUNS in sums.name
    assert sums.predict(["10+26", "9+70"]) == ["35", "77"]
    unspaced = NearestSource().fit(["今日は良い天気です", "猫が好きです"], ["weather", "cat"])
    assert RUNS in unspaced.name
    assert unspaced.predict(["良い天気", "猫は？"]) == ["weather", "cat"]
    assert WORDS in NearestSource().fit(["a b", "c d"], ["x", "y"]).name


def test_texts_without_any_word_are_told_apart():
    model = NearestSource().fit(["? ?", "! !", "a b"], ["ask", "shout", "say"])
    assert model.predict(["! !", "? ?"]) == ["shout", "ask"]


@given(texts, texts)
def test_whatever_the_texts_there_is_an_answer_from_training(sources, asked):
    targets = [f"answer {number % 3}" for number in range(len(sources))]
    model = NearestSource().fit(sources, targets)
    assert set(model.predict(asked)) <= set(targets)


def test_nothing_to_learn_from_answers_nothing():
    assert NearestSource().fit([], []).predict(["a b", ""]) == ["", ""]


@pytest.mark.slow
def test_a_million_pairs_take_seconds():
    draw = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(5000)])
    picked = words[np.minimum(draw.zipf(1.3, (1_000_000, 8)), 5000) - 1]
    sources = [" ".join(row) for row in picked]
    start = time.perf_counter()
    model = NearestSource().fit(sources, sources)
    fitted = time.perf_counter()
    answers = model.predict(sources[:1000])
    assert fitted - start < 60
    assert time.perf_counter() - fitted < 20
    assert len(answers) == 1000
    assert " of 1,000,000 pairs)" in model.name


def test_beside_a_translation_stand_copy_lead_retrieval_and_the_most_frequent():
    assert list(translation_baselines(["two words", "x"])) == [
        "copy_source",
        "lead_words",
        "nearest_source",
        "most_frequent_answer",
    ]
    assert "lead_words" not in translation_baselines(["10+25", "7"])
    assert list(caption_baselines()) == ["nearest_picture", "most_frequent_answer"]


# ---- pictures ----------------------------------------------------------------------------------------


def pictures(count, channels=3, side=40):
    draw = np.random.default_rng(0)
    rough = draw.integers(0, 256, (count, channels, 5, 5))
    return [np.kron(picture, np.ones((1, side // 5, side // 5))).astype(np.uint8) for picture in rough]


def noisy(picture, size=20):
    noise = np.random.default_rng(1).integers(-size, size + 1, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("channels", "side"), [(1, 5), (3, 40), (4, 15), (3, 160)])
def test_a_noisy_picture_is_recognised(channels, side):
    known = pictures(20, channels, side)
    names = [f"picture {number}" for number in range(20)]
    assert NearestPicture().fit(known, names).predict([noisy(picture) for picture in known]) == names


def test_another_size_of_the_same_picture_is_recognised():
    known, names = pictures(20), [str(number) for number in range(20)]
    model = NearestPicture().fit(known, names)
    assert model.predict(pictures(20, side=65)) == names
    assert model.predict(pictures(20, side=10)) == names


def test_vectors_and_maps_and_wide_maps_are_compared_too():
    draw = np.random.default_rng(0)
    names = [str(number) for number in range(12)]
    for shape in ((7,), (1,), (9, 11), (600, 7, 7)):
        known = [draw.normal(size=shape) * np.arange(1, shape[-1] + 1) for _ in range(12)]
        model = NearestPicture().fit(known, names)
        if shape == (1,):
            assert set(model.predict(known)) <= set(names)  # one number has only a sign
        else:
            assert model.predict([one + 0.01 for one in known]) == names
        assert model.pictures_.shape[1] <= 4096


def test_a_large_channel_does_not_drown_a_small_one():
    known = [np.array([1e6 * (number % 2), number // 2 * 1e-3]) for number in range(4)]
    assert NearestPicture().fit(known, list("abcd")).predict(known) == list("abcd")


def test_shrinking_keeps_the_mean():
    from unrolled.baselines.captions import _areas

    for size in (1, 5, 16, 17, 100):
        shares = _areas(size, min(size, SIDE))
        np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(shares.sum(0), min(size, SIDE) / size, rtol=1e-5)
    np.testing.assert_allclose(_areas(2, 4) @ [1.0, 3.0], [1, 1, 3, 3])


def test_a_picture_with_several_captions_answers_with_the_most_frequent():
    dark, light = np.zeros((1, 4, 4), np.uint8), np.full((1, 4, 4), 200, np.uint8)
    model = NearestPicture().fit([dark, light, dark, dark], ["a", "b", "c", "c"])
    assert model.predict([dark, light]) == ["c", "b"]


def test_numbers_that_are_none_do_not_break_it():
    known = [np.array([1.0, np.nan]), np.array([np.inf, 2.0]), np.array([-1.0, -2.0])]
    model = NearestPicture().fit(known, list("abc"))
    assert set(model.predict([*known, np.full(2, np.nan)])) <= set("abc")
    assert np.isfinite(model.pictures_).all()


def test_no_picture_at_all_answers_nothing():
    assert NearestPicture().fit([], []).predict([np.zeros(0)]) == [""]


@pytest.mark.parametrize(
    ("asked", "words"),
    [(np.zeros((4, 8, 8)), "3 channels.*4"), (np.zeros((2, 3, 8, 8)), "axes"), (np.zeros((8, 8)), "3 channels.*1")],
)
def test_a_picture_of_other_axes_is_refused(asked, words):
    model = NearestPicture().fit(pictures(3), list("abc"))
    with pytest.raises(DataError, match=words):
        model.predict([asked])


def test_a_vector_of_another_length_or_a_picture_among_vectors_is_refused():
    model = NearestPicture().fit([np.zeros(3), np.ones(3)], ["a", "b"])
    with pytest.raises(DataError, match=r"3 numbers.*4"):
        model.predict([np.zeros(4)])
    with pytest.raises(DataError, match="axes"):
        model.predict([np.zeros((3, 2, 2))])
