"""The translator: it learns small tasks, copies, scores and aligns; and what it refuses."""

import copy
import random
import string

import numpy as np
import polars as pl
import pytest
import torch

from unrolled.arrangements.encoder_decoder import COPY
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.words import Words
from unrolled.errors import DataError, InputError, OptionError
from unrolled.nn.heads import IGNORED
from unrolled.tasks.registry import load
from unrolled.tasks.seq2seq.target_text import choose_unit
from unrolled.tasks.seq2seq.translator import Translator
from unrolled.training.callbacks import Callback


def words(count: int, longest: int, seed: int = 0, alphabet: str = "abcdef") -> list[str]:
    draw = random.Random(seed)
    return ["".join(draw.choice(alphabet) for _ in range(draw.randint(1, longest))) for _ in range(count)]


def reversal(count: int, longest: int = 6, seed: int = 0) -> tuple[list[str], list[str]]:
    read = words(count, longest, seed)
    return read, [word[::-1] for word in read]


def quick(**options: object) -> Translator:
    return Translator(**{"hidden_size": 16, "dropout": 0.0, "training": {"epochs": 1, "device": "cpu"}, **options})


@pytest.fixture(scope="module")
def backwards() -> Translator:
    """A model that has learnt to write words backwards."""
    return Translator(hidden_size=48, dropout=0.0).fit(
        *reversal(600), epochs=10, learning_rate=0.01, batch_size=16, device="cpu"
    )


def test_words_are_written_backwards_and_the_baselines_cannot(backwards):
    read, written = reversal(200, seed=9)
    scores = backwards.evaluate(read, written)
    assert scores.leading == "exact"
    assert scores.model["exact"] > 0.9
    assert max(values["exact"] for values in scores.baselines.values()) < 0.6
    assert "BLEU" in " ".join(scores.notes) or "chrF" in " ".join(scores.notes)


def test_more_beginnings_never_find_a_less_likely_text_on_the_whole(backwards):
    read, _ = reversal(100, seed=4)
    greedy = [answers[0].log_probability for answers in backwards.n_best(read, 1, beam_size=1)]
    beam = [answers[0].log_probability for answers in backwards.n_best(read, 1, beam_size=8, length_penalty=0)]
    assert np.mean(beam) >= np.mean(greedy) - 1e-6


def test_without_a_length_penalty_the_score_is_the_log_probability_and_answers_are_no_longer(backwards):
    read, _ = reversal(60, seed=5)
    scored = {weight: backwards.n_best(read, 4, length_penalty=weight) for weight in (0.0, 1.0, 4.0)}
    assert all(answer.score == pytest.approx(answer.log_probability) for row in scored[0.0] for answer in row)
    assert all(answer.score > answer.log_probability for row in scored[1.0] for answer in row if answer.text)
    lengths = [sum(len(row[0].text) for row in rows) for rows in scored.values()]
    assert lengths == sorted(lengths)


def test_several_answers_come_best_first_and_differ(backwards):
    for answers in backwards.n_best(["abc", "f", "eeddcc"], 4):
        assert [answer.score for answer in answers] == sorted((answer.score for answer in answers), reverse=True)
        assert len({answer.text for answer in answers}) == len(answers) == 4


def test_answers_go_on_from_the_prefix_that_is_forced(backwards):
    read = ["abc", "fed", "c"]
    free = backwards.n_best(read, 1)
    same = backwards.n_best(read, 1, prefix=[best.text[:1] for (best,) in free])
    for (forced,), (best,) in zip(same, free, strict=True):
        assert forced.text == best.text
        assert forced.log_probability == pytest.approx(best.log_probability, abs=1e-4)
    for answers, (best,) in zip(backwards.n_best(read, 3, prefix="bb"), free, strict=True):
        assert all(answer.text.startswith("bb") for answer in answers)
        assert answers[0].log_probability < best.log_probability
    # None forces nothing, and nobody's prefix reaches another record
    mixed = backwards.predict(read, prefix=["f", None, "d"])
    assert [mixed[0][0], mixed[1], mixed[2][0]] == ["f", free[1][0].text, "d"]


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_a_prefix_may_be_copied_from_the_source_or_be_a_list_of_words():
    model = quick(unit="words", target=Words("target", min_count=2), decoder={"copy": True}).fit(commands(60))
    fresh = [{"source": "please drop zyxwv now"}]
    assert model.predict(fresh, prefix="zyxwv")[0].startswith("zyxwv")
    with pytest.raises(DataError, match="'zyxwv' for record 0"):
        model.predict(commands(1), prefix="zyxwv")
    lists = quick(target=Words("target")).fit([["one", "two"], ["two"]] * 8, [["eins", "zwei"], ["zwei"]] * 8)
    for prefix in ("zwei eins", [["zwei", "eins"]]):
        assert lists.predict([["one"]], prefix=prefix)[0][:2] == ["zwei", "eins"]


def test_the_coverage_penalty_counts_against_answers_that_passed_over_letters(backwards):
    def penalty(weight: float, **options: int) -> float:
        ((best,),) = backwards.n_best(["abcdef"], 1, length_penalty=0, coverage_penalty=weight, **options)
        return best.log_probability - best.score

    assert penalty(0.0) == pytest.approx(0)
    assert penalty(0.5) >= 0
    # after two letters most of the six have not been looked at
    assert penalty(0.5, max_length=2) > penalty(0.5) + 1
    assert penalty(1.0, max_length=2) == pytest.approx(2 * penalty(0.5, max_length=2), rel=1e-4)


def test_the_score_of_a_pair_is_the_log_probability_of_writing_it(backwards):
    read = ["abc", "fed"]
    found = backwards.n_best(read, 1)
    pairs = [{"source": text, "target": best.text} for text, (best,) in zip(read, found, strict=True)]
    expected = [best.log_probability for (best,) in found]
    np.testing.assert_allclose(backwards.score_pairs(pairs), expected, rtol=1e-4, atol=1e-5)


def test_the_attention_looks_at_the_letter_it_writes(backwards):
    (alignment,) = backwards.align(["abcdef"])
    assert alignment.read == tuple("abcdef")
    assert alignment.weights.shape == (len(alignment.written), 6)
    np.testing.assert_allclose(alignment.weights.sum(1), 1, rtol=1e-5)
    # each letter's vector holds what is around it: the place looked at moves backwards through the word
    centres = alignment.weights @ np.arange(6)
    assert np.corrcoef(centres, np.arange(len(centres)))[0, 1] < -0.8


def test_a_model_comes_back_with_the_columns_it_was_made_with(tmp_path):
    data = [{"english": "one two", "deutsch": "eins zwei"}, {"english": "two", "deutsch": "zwei"}] * 8
    model = quick(source=Words("english"), target=Words("deutsch")).fit(data)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert again.predict(["one", "two"]) == model.predict(["one", "two"])
    assert again.evaluate(data) == model.evaluate(data)


@pytest.mark.parametrize(
    ("texts", "unit"),
    [
        (["35", "7", "110"], "characters"),
        (["drop a table", "join two tables"], "words"),
        ([["a", "b"]], "words"),
        (["a long text of words"] * 12_000, "subwords"),
        ([], "characters"),
        ([None, ""], "characters"),
    ],
)
def test_the_unit_suits_the_texts(texts, unit):
    assert choose_unit(texts) == unit


@pytest.mark.parametrize("codec", [Words, Characters, lambda column: Subwords(column, size=300)])
def test_pieces_joined_are_the_text_again(codec):
    records = [{"x": "Ein Satz, zwei Wörter."}, {"x": ""}, {"x": "eins"}]
    made = codec("x").fit(records)
    assert [made.join(pieces) for pieces in made.pieces(records)] == ["Ein Satz, zwei Wörter.", "", "eins"]
    indices = made.encode(records)
    spelt = [made.entries[index] for index in indices.values.tolist()]
    assert spelt == [piece for pieces in made.pieces(records) for piece in pieces]


# ---- copying -------------------------------------------------------------------------------------


def commands(count: int, seed: int = 0) -> list[dict[str, str]]:
    """Sentences with a name in them that no vocabulary has."""
    draw = random.Random(seed)
    names = ["".join(draw.choices(string.ascii_lowercase, k=6)) for _ in range(count)]
    return [{"source": f"please drop {name} now", "target": f"remove {name}"} for name in names]


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_names_that_were_never_seen_are_copied():
    model = Translator(unit="words", hidden_size=32, dropout=0.0, decoder={"copy": True})
    model.source, model.target = Words("source", min_count=2), Words("target", min_count=2)
    model.fit(commands(300), epochs=14, learning_rate=0.01, batch_size=16, device="cpu", baselines=False)
    fresh = commands(50, seed=1)
    right = [answer == record["target"] for answer, record in zip(model.predict(fresh), fresh, strict=True)]
    assert np.mean(right) > 0.9


def test_pieces_that_spell_every_word_are_copied_too():
    data = commands(120)
    model = quick(source=Subwords("source", size=300), target=Subwords("target", size=280), decoder={"copy": True})
    model.fit(data, epochs=2, baselines=False)
    assert all(isinstance(answer, str) for answer in model.predict([{"source": "please drop ÿñ日 now"}, *data[:3]]))
    assert np.isfinite(model.score_pairs(data[:3])).all()


@pytest.mark.parametrize(
    ("options", "target", "copies"),
    [
        ({"unit": "words"}, "remove {}", True),
        ({"unit": "words"}, "gone", False),
        ({"unit": "characters"}, "remove {}", False),
        ({"unit": "words", "attention": "none"}, "remove {}", False),
        ({"unit": "words", "decoder": {"label_smoothing": 0.1}}, "remove {}", False),
        ({"unit": "words", "decoder": {"copy": False}}, "remove {}", False),
        ({"unit": "words", "decoder": {"copy": True}}, "gone", True),
    ],
)
def test_what_answers_share_with_their_sources_is_copied_unless_told_otherwise(options, target, copies, tmp_path):
    read = [record["source"] for record in commands(30)]
    model = quick(**options).fit(read, [target.format(text.split()[2]) for text in read], baselines=False)
    assert model.copies_ == copies
    assert (model.network_.head.switch is not None) == copies
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").predict(read) == model.predict(read)


def test_an_unknown_word_is_asked_for_only_where_it_can_be_copied():
    data = [{"source": "a b", "target": "a b"}] * 4 + [{"source": "x y", "target": "y z"}]
    for copied in (True, False):
        model = quick(
            source=Words("source", min_count=2), target=Words("target", min_count=2), decoder={"copy": copied}
        ).fit(data)
        examples = model._encode(model._source(data))
        # behind the edge come "x", the first strange word of its source, and "y", the second; "z" is in no source
        edge = model.target_.boundary
        assert examples.targets[4].tolist() == [edge + 2 if copied else IGNORED, IGNORED, edge]
        assert (COPY in examples.sources) == copied


def test_what_is_never_written_is_the_unknown_word():
    data = [{"source": word, "target": f"rare{place} thing"} for place, word in enumerate(words(40, 5))]
    model = quick(unit="words", target=Words("target", min_count=2)).fit(data)
    assert all("<unknown>" not in text for text in model.predict(data))


# ---- input of every kind -------------------------------------------------------------------------


def test_tables_lists_and_missing_values_are_read():
    frame = pl.DataFrame({"source": ["ab", None, "c", "d"] * 4, "target": ["b", "", None, "d"] * 4})
    model = quick().fit(frame)
    assert len(model.predict(frame)) == 16
    assert model.predict(["ab", None, "c", "d"]) == model.predict(frame)[:4]
    assert model.evaluate(frame).n == 16


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_characters_never_seen_and_empty_sources_are_answered(backwards):
    assert len(backwards.predict(["ÿ日", "", "aÿb"])) == 3


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_a_source_of_ten_thousand_words_is_answered(backwards):
    (answer,) = backwards.predict(["ab " * 10_000], beam_size=2)
    assert len(answer) <= backwards.target_.longest * 3 // 2 + 1


def test_a_pair_too_long_to_learn_from_is_left_out_and_said_so():
    read, written = reversal(40)
    for unit, long in (("characters", "a" * 1001), ("words", "ab " * 10_000)):
        model = quick(unit=unit).fit([*read, long, "a"], [*written, "b", long], validation=0.0)
        assert model.summary_["left out"] == "2 records of more than 1000 steps"
    with pytest.raises(DataError, match="at most 1,000 steps, received 9 longer ones"):
        quick().fit(["a" * 1001] * 9, ["b"] * 9)


@pytest.mark.parametrize("attention", ["multiplicative", "additive", "none"])
def test_nothing_is_read_and_nothing_is_written_where_that_was_learnt(attention):
    read, written = ["a", "", "b", "ab"] * 40, ["", "x", "y", ""] * 40
    model = quick(attention=attention).fit(read, written, epochs=20, batch_size=16, learning_rate=0.03, baselines=False)
    assert model.predict(["a", "", "b", "ab"]) == ["", "x", "y", ""]
    assert model.evaluate(read, written).model["exact"] == 1


def test_a_decoder_that_never_ends_stops_at_the_limit(backwards):
    model = copy.deepcopy(backwards)
    with torch.no_grad():
        model.network_.head.bias[model.target_.boundary] = -1e9
    (answers,) = model.n_best(["abc"], 2, max_length=5)
    assert all(len(answer.text) <= 5 and not answer.finished for answer in answers)


def test_a_beam_may_be_wider_than_the_vocabulary(backwards):
    assert len(backwards.predict(["abc"], beam_size=40)) == 1


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: quick(decoder={"copi": True}).fit(*reversal(9)), "did you mean 'copy'"),
        (lambda: quick(decoder={"copy": "perhaps"}).fit(*reversal(9)), "copy: expected True, False or 'auto'"),
        (lambda: quick(decoder={"teacher_forcing": 2}).fit(*reversal(9)), "teacher_forcing"),
        (lambda: quick(attention="none", decoder={"positions": True}).fit(*reversal(9)), "positions"),
        (lambda: quick(unit="letters").fit(*reversal(9)), "unit"),
        (lambda: quick(attention="aditive").fit(*reversal(9)), "additive"),
        (lambda: quick(target=Words("other")).fit(*reversal(9)).fit([{"source": "a", "target": "b"}] * 9), "other"),
        (lambda: quick().fit(["a"] * 9, ["b"] * 8), "y: expected 9 targets, received 8"),
        (lambda: quick().fit(["a"] * 9, [""] * 9), "nothing|at least one|some text"),
        (lambda: quick().fit(*reversal(9), bptt_steps=5), "bptt_steps"),
        (lambda: quick().fit("abc"), "a list of texts"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(act, words):
    with pytest.raises(InputError, match=words):
        act()


def test_options_of_an_answer_are_checked(backwards):
    with pytest.raises(OptionError, match="beam_size"):
        backwards.predict(["a"], beam_size=0)
    with pytest.raises(OptionError, match="max_length"):
        backwards.predict(["a"], max_length=-1)
    with pytest.raises(OptionError, match="coverage_penalty"):
        backwards.predict(["a"], coverage_penalty=-1)
    with pytest.raises(OptionError, match="coverage_penalty: expected 0 for a model without attention"):
        quick(attention="none").fit(*reversal(9)).predict(["a"], coverage_penalty=0.2)
    with pytest.raises(OptionError, match=r"prefix: expected fewer than 3 pieces, .* 3 for record 1"):
        backwards.predict(["a", "b"], max_length=3, prefix=["a", "abc"])
    with pytest.raises(DataError, match=r"prefix: .* 2 records, received 1"):
        backwards.predict(["a", "b"], prefix=["a"])
    with pytest.raises(DataError, match=r"prefix: .* received 5"):
        backwards.predict(["a", "b"], prefix=5)
    with pytest.raises(DataError, match="'ÿ' for record 0"):
        backwards.predict(["a"], prefix="aÿ")
    with pytest.raises(OptionError, match="attention"):
        quick(attention="none").fit(*reversal(9)).align(["a"])
    with pytest.raises(DataError, match="the nearest is 'sources'"):
        backwards.predict([{"sources": "a"}])


def test_places_far_into_a_text_are_found_by_their_positions():
    read = words(400, 30, seed=3)
    written = [word[::-1] for word in read]
    losses = []
    for positions in (True, False):
        model = Translator(hidden_size=32, dropout=0.0, decoder={"positions": positions})
        model.fit(read, written, epochs=4, learning_rate=0.01, batch_size=16, device="cpu", baselines=False)
        losses.append(model.history_.rows[-1].watched)
    assert losses[0] < 0.6 * losses[1]


def test_true_tokens_grow_fewer_while_training():
    seen = []

    class Watch(Callback):
        def on_update(self, trainer):
            seen.append(trainer.model.teacher_forcing)

    quick(decoder={"teacher_forcing": 0.25}).fit(*reversal(200), epochs=4, callbacks=[Watch()])
    assert seen == sorted(seen, reverse=True)
    assert seen[0] > 0.95
    assert 0.25 <= seen[-1] < 0.35
