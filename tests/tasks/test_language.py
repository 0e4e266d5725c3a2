"""LanguageModel: known laws are learnt, ends are learnt, texts are scored, and writing can be steered and repeated."""

import math

import numpy as np
import pytest

from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.words import Words
from unrolled.data.readers import read_text
from unrolled.errors import InputError, OptionError, UnrolledError
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.registry import load

CYCLE = "abac"  # after an a comes b or c: it takes two letters to know
FAST = {"epochs": 15, "learning_rate": 0.02, "batch_size": 8, "bptt_steps": 32}


@pytest.fixture(scope="module")
def cyclic():
    return LanguageModel(hidden_size=24, dropout=0.0).fit(CYCLE * 800, **FAST, validation=0.2)


@pytest.fixture(scope="module")
def greetings():
    """Several short documents in two languages, which the model is told."""
    rows = [{"text": "hello world", "lang": "en"}, {"text": "hallo welt", "lang": "de"}] * 24
    return LanguageModel(hidden_size=32, dropout=0.0, given=["lang"]).fit(
        rows, epochs=60, learning_rate=0.02, batch_size=8
    )


@pytest.fixture(scope="module")
def names():
    return LanguageModel(hidden_size=32, dropout=0.0).fit(["anna", "otto", "hannah"] * 16, **{**FAST, "epochs": 60})


# ---- learning ------------------------------------------------------------------------------------


def test_a_cycle_is_learnt_to_almost_no_surprise(cyclic):
    scores = cyclic.evaluate(CYCLE * 50)
    assert scores.n == 200
    assert scores.model["nats_per_token"] < 0.05
    assert scores.model["perplexity"] == pytest.approx(math.exp(scores.model["nats_per_token"]))
    assert scores.baselines["token frequencies"]["nats_per_token"] == pytest.approx(1.5 * math.log(2), abs=0.05)


def test_the_likeliest_continuation_is_the_cycle(cyclic):
    assert cyclic.generate("ab", length=8, temperature=0) == "acabacab"
    assert cyclic.generate("cab", length=3, temperature=0, seed=5) == "aca"
    assert cyclic.predict(["ab", "aba", "abac"]) == ["a", "c", "a"]


def test_one_text_has_no_end(cyclic):
    assert len(cyclic.generate("", length=300, temperature=2.0, seed=0)) == 300


def test_an_end_held_out_from_the_text_is_scored(cyclic):
    assert cyclic.scores_.n == 640
    assert cyclic.scores_.model["nats_per_token"] < 0.05
    assert cyclic.history_.rows[-1].validation_loss is not None


def test_ends_are_learnt_from_several_documents(names):
    assert names.generate("ann", temperature=0) == "a"
    assert names.generate("hanna", temperature=0) == "h"
    drawn = [names.generate(seed=seed, temperature=0.3, length=30) for seed in range(12)]
    assert sum(name in ("anna", "otto", "hannah") for name in drawn) >= 9
    assert len(set(drawn)) > 1
    assert names.predict(["otto"]) == [""]


@pytest.mark.parametrize("text", ["", "a", "anna", "hannah otto"])
def test_scores_are_log_probabilities_of_whole_texts(names, text):
    """The end is part of it, so that what can follow a text sums to one."""
    (score,) = names.score_texts([text])
    assert score < 0
    assert np.isfinite(score)
    assert names.score_texts(text) == pytest.approx(score)


def test_likely_texts_score_higher_than_unlikely_ones(names, cyclic):
    likely, unlikely, strange = names.score_texts(["anna", "nana", "tthh"])
    assert likely > unlikely
    assert likely > strange
    good, bad = cyclic.score_texts([CYCLE * 5, "aabbccab" * 3])
    assert good > bad + 10


def test_long_texts_score_as_the_sum_of_what_comes_step_by_step(names):
    text = "hannah" * 6
    total = names.score_texts(text)[0]
    alone = names.evaluate([text])
    assert alone.model["nats_per_token"] * alone.n == pytest.approx(-total, rel=1e-5)
    assert alone.n == len(text) + 1


# ---- writing -------------------------------------------------------------------------------------


def test_seeds_repeat_and_differ(cyclic):
    one, again, other = (cyclic.generate("a", 60, temperature=3.0, seed=seed) for seed in (1, 1, 2))
    assert one == again
    assert one != other
    assert cyclic.generate("a", 60, temperature=3.0) != cyclic.generate("a", 60, temperature=3.0)


def test_top_k_and_top_p_of_next_to_nothing_are_greedy(cyclic):
    greedy = cyclic.generate("ab", 20, temperature=0)
    assert cyclic.generate("ab", 20, temperature=5.0, top_k=1, seed=3) == greedy
    assert cyclic.generate("ab", 20, temperature=5.0, top_p=1e-6, seed=3) == greedy
    assert cyclic.generate("ab", 20, temperature=5.0, seed=3) != greedy


def test_length_is_the_number_of_tokens(cyclic):
    assert cyclic.generate("ab", length=0) == ""
    assert len(cyclic.generate("ab", length=7)) == 7


@pytest.mark.parametrize(
    "options", [{"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 1.5}, {"length": -1}]
)
def test_bad_requests_are_refused_by_name(cyclic, options):
    (name,) = options
    with pytest.raises(OptionError, match=name):
        cyclic.generate("ab", **options)


def test_a_prompt_with_unseen_characters_is_answered(cyclic):
    assert len(cyclic.generate("Ωab", length=4, temperature=0)) == 4


# ---- given ---------------------------------------------------------------------------------------


def test_a_given_column_decides_what_is_written(greetings):
    assert greetings.generate("h", temperature=0, given={"lang": "en"}) == "ello world"
    assert greetings.generate("h", temperature=0, given={"lang": "de"}) == "allo welt"
    assert greetings.generate(temperature=0, given={"lang": "de"}) == "hallo welt"


def test_given_values_are_used_in_scores(greetings):
    right = greetings.evaluate([{"text": "hallo welt", "lang": "de"}]).model["nats_per_token"]
    wrong = greetings.evaluate([{"text": "hallo welt", "lang": "en"}]).model["nats_per_token"]
    assert right < 0.2 < wrong
    assert greetings.predict([{"text": "h", "lang": "en"}, {"text": "h", "lang": "de"}]) == ["e", "a"]


def test_given_columns_that_are_missing_or_unknown_are_refused(greetings, cyclic):
    with pytest.raises(OptionError, match=r"given.*'lang'"):
        greetings.generate("h")
    with pytest.raises(InputError, match="did you mean 'lang'"):
        greetings.generate("h", given={"lang": "en", "lan": "de"})
    with pytest.raises(InputError, match="given"):
        cyclic.generate("a", given={"lang": "en"})
    with pytest.raises(UnrolledError, match="lang"):
        greetings.score_texts(["hallo welt"])
    rows = [{"text": "a b", "other": "some longer text here"}] * 9
    with pytest.raises(InputError, match="sequence"):
        LanguageModel(hidden_size=4, given=["other"]).fit(rows, epochs=1)


def test_a_model_with_given_columns_survives_saving(greetings, tmp_path):
    greetings.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.generate("h", temperature=0, given={"lang": "de"}) == "allo welt"


# ---- units and inputs ----------------------------------------------------------------------------

PROSE = "the cat sat on the mat and the dog sat on the cat . " * 40


@pytest.mark.parametrize(
    ("unit", "kind"),
    [("words", Words), ("subwords", Subwords), (Characters("text"), Characters), (Words("text"), Words)],
)
def test_words_and_subwords_are_units_too(unit, kind, tmp_path):
    model = LanguageModel(unit=unit, hidden_size=16).fit(PROSE, **{**FAST, "bptt_steps": 16})
    assert isinstance(model.codec_, kind)
    assert model.generate("the cat sat on", length=5, temperature=0).startswith(" the")
    scores = model.evaluate(PROSE)
    assert scores.model["bits_per_character"] < 2
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").evaluate(PROSE) == scores


def test_bits_per_character_compare_units():
    """Nats of all tokens are spread over the same characters, whatever the unit."""
    scores = LanguageModel(unit="words", hidden_size=4).fit(PROSE, epochs=1).evaluate(PROSE)
    bits = scores.model["nats_per_token"] * scores.n / math.log(2)
    assert scores.model["bits_per_character"] == pytest.approx(bits / len(PROSE))


def test_a_file_a_text_and_a_record_are_the_same(tmp_path):
    (tmp_path / "a.txt").write_text(CYCLE * 100)
    options = {"epochs": 1, "validation": 0.0, "batch_size": 4}
    scores = [
        LanguageModel(hidden_size=4).fit(data, **options).evaluate(CYCLE * 10)
        for data in (
            CYCLE * 100,
            [CYCLE * 100],
            [{"text": CYCLE * 100}],
            read_text(tmp_path / "a.txt"),
            tmp_path / "a.txt",
        )
    ]
    assert all(score.model == pytest.approx(scores[0].model, rel=1e-5) for score in scores)


def test_empty_documents_are_documents():
    model = LanguageModel(hidden_size=8).fit(["", "a", ""] * 20, epochs=20, learning_rate=0.03, batch_size=8)
    assert model.predict([""]) == [""]
    assert math.exp(model.score_texts([""])[0]) == pytest.approx(2 / 3, abs=0.15)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"unit": "word"}, "did you mean 'words'"),
        ({"unit": Words("body")}, "'text'"),
        ({"text": "txt"}, "the nearest is 'text'"),
        ({"given": ["langs"]}, "the nearest is 'lang'"),
    ],
)
def test_illegal_options_are_refused_by_name(options, words):
    with pytest.raises(InputError, match=words):
        LanguageModel(hidden_size=4, **options).fit([{"text": "abc", "lang": "en"}] * 9, epochs=1)


@pytest.mark.parametrize("data", ["", [""], [{"text": None}], [{"text": ""}]])
def test_no_characters_at_all_are_refused(data):
    with pytest.raises(InputError):
        LanguageModel(hidden_size=4).fit(data, epochs=1)
