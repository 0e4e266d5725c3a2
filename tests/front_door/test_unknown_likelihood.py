"""A likelihood spreads the unknown sign over what it may stand for, for the model and for its baselines alike."""

import math

import numpy as np
import pytest

import unrolled as ur
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.words import Words
from unrolled.tasks.language.unknown_tokens import ASSIGNED, UnknownTokens

ENGLISH = "the cat sat on the mat. "
QUIET = {"epochs": 1, "progress": False}
pytestmark = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")


@pytest.fixture(scope="module")
def english():
    return ur.LanguageModel(hidden_size=16).fit(ENGLISH * 80, epochs=3, progress=False)


@pytest.mark.parametrize(
    "text", ["Привет как дела ", "ποῦ στῶ ", "日本語の文", "مرحبا ", "THE CAT SAT", "1234567890", "🦊🐻🐼"]
)
def test_another_alphabet_earns_no_praise_and_no_better_perplexity_than_english(english, text):
    strange, usual = english.evaluate(text * 30), english.evaluate(ENGLISH * 10)
    assert strange.report["share unknown"] > 0.2
    assert "beats" not in str(strange)
    assert "unknown" in str(strange)
    assert strange.model["perplexity"] > 50 * usual.model["perplexity"]


def test_a_text_of_known_characters_costs_what_it_did(english):
    scores = english.evaluate(ENGLISH * 10)
    assert scores.report["unknown"] == 0
    assert scores.model["nats_per_token"] * scores.n == pytest.approx(-english.score_texts([ENGLISH * 10])[0], rel=1e-6)


def test_model_and_baselines_pay_the_same_for_each_unknown_character(english):
    codec = english.codec_
    examples = english._encode(english._source(["a?t!"]))
    ids = [sequence.numpy() for sequence in examples.targets]
    spelling = 2 * math.log(ASSIGNED - len(codec.characters_))
    scores = english.evaluate(["a?t!"])
    assert scores.model["nats_per_token"] * scores.n == pytest.approx(english._nats(examples)[0] + spelling, rel=1e-6)
    for baseline in english.baselines_.values():
        plain = float(np.sum(baseline.predict(ids)))
        assert scores.baselines[baseline.name]["nats_per_token"] * scores.n == pytest.approx(plain + spelling, rel=1e-6)
    assert english.score_texts(["a?t!"])[0] == pytest.approx(-english._nats(examples)[0] - spelling, rel=1e-6)


def test_the_unknown_characters_share_one_probability_in_full():
    codec = Characters("text").fit([{"text": "abc"}])
    records = [{"text": "?"}]
    nats = UnknownTokens(codec).nats(records, codec.encode(records))[0]
    assert math.exp(-nats) * (ASSIGNED - 3) == pytest.approx(1)


def test_the_letters_of_an_unknown_word_and_its_end_share_one_probability_in_full():
    codec = Words("text").fit([{"text": "cat sat mat"}])
    known, new = UnknownTokens(codec)._letters
    assert set(known) == {*"catsm", ""}
    assert sum(math.exp(-nats) for nats in known.values()) + (ASSIGNED - 5) * math.exp(-new) == pytest.approx(1)


def test_only_the_unknown_words_of_a_text_are_spelt_and_likely_spellings_cost_less():
    codec = Words("text").fit([{"text": "cat sat mat"}])
    records = [{"text": text} for text in ("cat sat", "cat tam", "cat zzz", "tam tam", "")]
    nats = UnknownTokens(codec).nats(records, codec.encode(records))
    assert nats[0] == nats[4] == 0
    assert 0 < nats[1] < nats[2]
    assert nats[3] == pytest.approx(2 * nats[1])


def test_subwords_have_nothing_to_spell():
    codec = Subwords("text", size=300).fit([{"text": ENGLISH * 10}])
    records = [{"text": "Привет"}]
    assert UnknownTokens(codec).nats(records, codec.encode(records)).tolist() == [0.0]


@pytest.mark.parametrize("unit", ["characters", "words", "subwords"])
def test_a_likelihood_of_any_unit_is_finite_and_lower_for_strangers(unit):
    texts = ["the cat sat on the mat", "a dog ran to the park", "red birds fly"] * 20
    model = ur.LanguageModel(unit=unit, hidden_size=8).fit(texts, **QUIET)
    usual, strange = model.score_texts(["the cat sat", "Ж Ё Щ"])
    assert np.isfinite([usual, strange]).all()
    assert strange < usual
