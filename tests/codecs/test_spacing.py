"""Spacing: texts come back as they were written where marks keep to a habit, whatever the habit is."""

import json

from hypothesis import given
from hypothesis import strategies as st

from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.text.spacing import learn_spacing, neighbourhood
from unrolled.codecs.text.words import Words, join_words, split_words

FRENCH = ["Attention : %s !", "fichier « %s » : erreur", "option --version", "l'option -v", "100 %", "a ; b"] * 4


def read(texts):
    return Words("x").fit([{"x": text} for text in texts])


def test_texts_with_a_habit_come_back_as_they_were_written():
    codec = read(FRENCH)
    back = codec.decode(codec.encode([{"x": text} for text in FRENCH]))
    assert [text for text, again in zip(FRENCH, back, strict=True) if text != again] == []


def test_without_a_habit_marks_stand_as_in_english():
    assert join_words(split_words("Well, (more) than 3!")) == "Well, (more) than 3!"
    assert join_words(split_words('He said "no" (twice).'), read(['a "b" c'] * 9).spacing_) == 'He said "no" (twice).'


def test_a_mark_met_too_seldom_says_nothing():
    assert learn_spacing(["a : b"], split_words)["after"] == {}
    assert learn_spacing(["a : b"] * 3, split_words)["after"] == {":": 0.0}


def test_of_a_very_long_text_the_beginning_is_looked_at(monkeypatch):
    monkeypatch.setattr("unrolled.codecs.text.spacing.LOOKED_AT", 20)
    assert learn_spacing(["a : b " * 100], split_words)["after"] == {":": 0.0}
    assert learn_spacing(["a : b " * 4, "a: b " * 400], split_words)["after"] == {":": 0.0}


def test_spacing_is_saved_and_a_codec_without_it_still_loads():
    codec = read(FRENCH)
    data = json.loads(json.dumps(codec.to_json()))
    asked = codec.encode([{"x": "%s : erreur"}])
    assert codec_from_json(data).decode(asked) == ["%s : erreur"]
    del data["learnt"]["spacing_"]
    assert codec_from_json(data).decode(asked) == ["% s: erreur"]


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_text_can_be_learnt_from(texts):
    shares = learn_spacing(texts, split_words)
    assert all(0 <= share <= 1 for table in shares.values() for share in table.values())


@given(st.text(min_size=1, max_size=3), st.text(min_size=1, max_size=3))
def test_two_words_have_no_say(left, right):
    kind, _ = neighbourhood(left, right)
    words = any(map(str.isalnum, left)) and any(map(str.isalnum, right))
    assert (kind == "") == words
