"""Texts that are given as lists of tokens: the tokens are the user's, and come back as they were."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unrolled as ur
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.text.words import Words
from unrolled.tasks.language.texts import characters_of, spread

token = st.text(max_size=6) | st.sampled_from(["東京", "に", "。", "U.S.", "New York", " ", "<unknown>", "«", "don't"])
lists = st.lists(st.lists(token, max_size=6), min_size=1, max_size=8).filter(any)


@settings(deadline=None)
@given(lists)
def test_lists_of_tokens_come_back_as_they_were(rows):
    records = [{"x": row} for row in rows]
    codec = Words("x", max_size=None).fit(records)
    assert codec.decode(codec.encode(records)) == rows
    assert codec.pieces(records) == rows
    again = codec_from_json(json.loads(json.dumps(codec.to_json())))
    assert again.decode(again.encode(records)) == rows
    assert codec.join([]) == []


VERBS = ["行く", "来る", "食べる"]
LINES = [["東京", "に", verb, "。"] for verb in VERBS] * 20 + [[], None]


@pytest.fixture(scope="module")
def model():
    return ur.LanguageModel(unit="words", hidden_size=8).fit(LINES, epochs=1, validation=0, device="cpu")


def test_a_language_model_of_lists_writes_tokens_from_nothing_and_from_a_list(model):
    known = {"東京", "に", "。", *VERBS, "<unknown>"}
    for prompt in ("", [], ["東京", "に"]):
        written = model.generate(prompt, length=5, seed=0)
        assert isinstance(written, list)
        assert set(written) <= known


def test_its_next_token_is_a_token(model):
    assert set(model.predict(LINES[:4])) <= {"東京", "に", "。", "", *VERBS, "<unknown>"}


def test_its_bits_are_per_character_of_the_tokens(model):
    scores = model.evaluate(LINES[:3]).model
    nats = scores["nats_per_token"] * 15  # 4 tokens and an end in each line
    assert scores["bits_per_character"] == pytest.approx(nats / 0.6931471805599453 / sum(map(characters_of, LINES[:3])))


def test_one_list_is_held_out_in_stretches():
    tokens = [f"t{place}" for place in range(4_000)]
    kept, held = spread(tokens, 0.1)
    assert len(held) == 400
    assert sorted([*kept, *held]) == sorted(tokens)


def test_a_translator_of_lists_answers_with_lists():
    model = ur.Translator(hidden_size=8).fit(LINES[:60], LINES[:60], epochs=1, validation=0, device="cpu")
    for answer in model.predict(LINES[:3]):
        assert isinstance(answer, list)
        assert set(answer) <= {"東京", "に", "。", *VERBS, "<unknown>"}
