"""Scores of texts beside the libraries and plain counts; what is empty, single or strange is defined."""

import builtins
import json
import math
import sys

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from unrolled.errors import DataError, OptionError, UnsupportedError
from unrolled.metrics.scores import Scores
from unrolled.metrics.texts.libraries import chosen_tokenizer, rouge
from unrolled.metrics.texts.text_scores import caption_scores, sentence_scores, text_scores

TRUE = ["the cat sat on the mat", "there is a green house near the river", "it rains", "no news is good news today"]
SAID = ["the cat sat on a mat", "a green house is near the river", "it rains", "today no news"]
strange = st.text("ab .,日é\n\u200b\u0301🙂", max_size=15)


# ---- what the libraries count ------------------------------------------------------------------------


def test_bleu_and_chrf_are_those_of_sacrebleu():
    got = text_scores(TRUE, SAID, {}).model
    assert got["bleu"] == pytest.approx(sacrebleu.corpus_bleu(SAID, [TRUE]).score)
    assert got["chrf"] == pytest.approx(sacrebleu.corpus_chrf(SAID, [TRUE]).score)
    assert 0 < got["bleu"] < 100


def test_rouge_is_that_of_rouge_score_where_its_own_tokenizer_sees_the_words():
    library = RougeScorer(["rouge1", "rouge2", "rougeL"])
    found = [library.score(true, said) for true, said in zip(TRUE, SAID, strict=True)]
    got = text_scores(TRUE, SAID, {}).model
    for name, key in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        assert got[name] == pytest.approx(np.mean([one[key].fmeasure for one in found]))


def test_stemmed_rouge_is_that_of_rouge_score_and_who_is_ahead_in_it_is_said():
    library = RougeScorer(["rouge2"], use_stemmer=True)
    true, said = "two dogs were running quickly home", "two dog was run quickly home"
    (got,) = rouge([[true]], [said], stemmed=True, names=["rouge_2"]).values()
    assert got[0] == pytest.approx(library.score(true, said)["rouge2"].fmeasure)
    note = text_scores([true], [said], {"rival": ["green tea"]}).notes[-1]
    assert note == "ROUGE of words as written; of Porter's stems ROUGE-2 is 0.6000, and this model is ahead in both."
    turned = text_scores(["cats jumping high today"], ["cat jump high tomorrow"], {"rival": ["was high today"]})
    assert turned.notes[-1].endswith("this model (0.6667) is ahead in it, and rival in words.")


@pytest.mark.parametrize("text", ["Привет мир снова", "今日は良い天気", "γειά σου κόσμε", "שלום עולם טוב"])
def test_rouge_counts_other_scripts(text):
    assert all(values[0] == pytest.approx(1) for values in rouge([[text]], [text]).values())


def test_several_true_texts_are_all_right():
    truth = [[one, "something else than that"] for one in TRUE]
    got = text_scores(truth, TRUE, {"other": ["something else than that"] * 4})
    for row in (got.model, got.baselines["other"]):
        assert row["exact"] == 1
        assert row["bleu"] == pytest.approx(100)
        assert (row["cer"], row["wer"]) == (0, 0)


def test_items_may_have_unequal_numbers_of_true_texts():
    got = text_scores([["a b c d e"], ["e f g h", "x y z w v"]], ["a b c d e", "x y z w v"], {})
    assert got.model["bleu"] == pytest.approx(100)
    assert got.model["exact"] == 1
    assert "nrefs:var" in got.notes[0]


def test_error_rates_are_edits_by_the_length_of_all_true_texts():
    got = text_scores(["abcd", "a b"], ["abXd", "a b c d"], {}).model
    assert got["cer"] == pytest.approx((1 + 4) / (4 + 3))
    assert got["wer"] == pytest.approx((1 + 2) / (1 + 2))


def test_error_rates_are_those_of_jiwer():
    got = text_scores(TRUE, SAID, {}).model  # jiwer 4.0's wer and cer of these texts
    assert (got["wer"], got["cer"]) == pytest.approx((0.4090909090909091, 0.3548387096774194))


# ---- tokenizers, notes and what leads ----------------------------------------------------------------


def test_the_tokenizer_is_chosen_by_the_script_and_said_in_the_signature():
    assert chosen_tokenizer("auto", [["hello there"]]) == "13a"
    assert chosen_tokenizer("auto", [["你好世界"]]) == "char"
    assert chosen_tokenizer("zh", [["hello"]]) == "zh"
    assert "tok:char" in text_scores(["今日は良い天気"], ["今日は"], {}).notes[0]
    assert "tok:none" in text_scores(TRUE, SAID, {}, tokenizer="none").notes[0]


def test_a_tokenizer_changes_bleu():
    punctuated = [f"{text}!" for text in TRUE]
    scores = {name: text_scores(punctuated, TRUE, {}, tokenizer=name).model["bleu"] for name in ("13a", "none", "char")}
    assert len(set(scores.values())) == 3


def test_signatures_stand_below_the_table_and_survive_json():
    got = text_scores(TRUE, SAID, {"copy": TRUE})
    again = Scores.from_json(json.loads(json.dumps(got.to_json())))
    assert again == got
    lines = str(got).splitlines()
    assert lines[-4].startswith("BLEU nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert lines[-3].startswith("chrF nrefs:1|")
    assert lines[-2].startswith("ROUGE of words as written; of Porter's stems")
    assert lines[-1] == got.summary


def test_scores_saved_before_there_were_notes_still_load():
    record = text_scores(TRUE, SAID, {}).to_json()
    del record["notes"]
    assert Scores.from_json(record).notes == ()


@pytest.mark.parametrize(
    ("truth", "leading"),
    [
        (["35", "107", "9"], "exact"),
        (["abcdefghijklmnopqrstuvwxyz"], "exact"),
        (["1 + 2"], "exact"),
        (TRUE, "chrf"),
        (["35", "a longer sentence"], "chrf"),  # no more than half are short
        (["猫", "犬です"], "exact"),
        (["今日は良い天気ですね"], "chrf"),
    ],
)
def test_exact_match_leads_where_most_true_texts_are_words_else_chrf(truth, leading):
    got = text_scores(truth, truth, {})
    assert got.leading == leading
    assert got.higher_is_better


@pytest.mark.parametrize("leading", ["exact", "bleu", "chrf", "rouge_1", "rouge_2", "rouge_l", "cer", "wer"])
def test_any_metric_may_lead_and_better_is_better(leading):
    got = text_scores(TRUE, TRUE, {"worse": SAID}, leading=leading)
    assert got.leading == leading
    assert got.wins


def test_bleu_is_left_out_where_it_cannot_say_anything_and_exact_leads_instead():
    got = text_scores(["35", "yes or no"], ["35", "no"], {}, leading="bleu")
    assert "bleu" not in got.model
    assert got.leading == "exact"
    assert "BLEU left out" in str(got)
    assert not any(note.startswith("BLEU nrefs") for note in got.notes)


def test_captions_are_led_by_cider_and_sign_only_what_they_show():
    truth = [["a red car on a road", "red car"], ["two birds in a tree"]]
    got = caption_scores(truth, ["a red car", "birds"], {"same": ["a", "a"]})
    assert list(got.model) == ["exact", "bleu", "cider_d"]
    assert (got.leading, got.unit, got.wins) == ("cider_d", "captions", True)
    assert got.notes == ("BLEU-4 as pycocoevalcap 1.2 counts it, not smoothed.",)


def test_one_picture_alone_has_no_cider_and_exact_leads():
    got = caption_scores([["a red car"]], ["a red car"], {})
    assert "cider_d" not in got.model
    assert got.leading == "exact"


# ---- what is empty, single or strange ----------------------------------------------------------------


@given(st.lists(st.tuples(strange, strange), max_size=4))
def test_whatever_texts_hold_every_score_is_a_number_in_its_range(pairs):
    truth, said = [true for true, _ in pairs], [answer for _, answer in pairs]
    for got in (text_scores(truth, said, {}), caption_scores(truth, said, {})):
        assert got.n == len(pairs)
        for name, value in got.model.items():
            most = {"cider_d": 10, "bleu": 100, "chrf": 100}.get(name, math.inf if name in ("cer", "wer") else 1)
            assert (0 <= value <= most + 1e-6) if pairs else math.isnan(value)
    alone = sentence_scores(truth, said)
    assert all(values.shape == (len(pairs),) and np.isfinite(values).all() for values in alone.values())


@pytest.mark.parametrize(("true", "said", "cer"), [("", "", 0), ("", "x", 1), ("x", "", 1)])
def test_empty_texts_are_defined(true, said, cer):
    got = text_scores([true], [said], {}).model
    assert got["exact"] == (true == said)
    assert got["cer"] == cer
    assert got["chrf"] == 0


def test_a_line_break_is_a_character_that_can_be_wrong():
    got = text_scores(["one\ntwo"], ["one two"], {}).model
    assert (got["exact"], got["wer"]) == (0, 0)
    assert got["cer"] == pytest.approx(1 / 7)


def test_sentence_scores_find_the_mistake():
    got = sentence_scores([*TRUE, ["", "none"]], [*TRUE[:3], "no idea", ""])
    assert got["exact"].tolist() == [1, 1, 1, 0, 1]
    assert got["bleu"].argmin() == got["chrf"].argmin() == got["cer"].argmax() == 3
    assert got["bleu"][[0, 1, 2, 4]] == pytest.approx(100)
    assert got["chrf"][[0, 1, 2, 4]] == pytest.approx(100)


# ---- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("truth", "answers", "rivals", "words"),
    [
        (["a", "b"], ["a"], {}, "answers: expected 2 texts, received 1"),
        (["a"], ["a"], {"copy": []}, "answers of copy: expected 1 texts, received 0"),
        ([["a"], []], ["a", "b"], {}, r"truth.*row 1"),
        ([None], ["a"], {}, r"truth.*None in row 0"),
        ([["a", 3]], ["a"], {}, r"truth.*row 0"),
        (["a"], [7], {}, r"answers.*7 in row 0"),
    ],
)
def test_what_is_no_text_or_has_no_partner_is_refused(truth, answers, rivals, words):
    for scores in (text_scores, caption_scores):
        with pytest.raises(DataError, match=words):
            scores(truth, answers, rivals)


def test_an_unknown_metric_or_tokenizer_suggests_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'chrf'"):
        text_scores(TRUE, SAID, {}, leading="chrff")
    with pytest.raises(OptionError, match="cider_d"):
        caption_scores(TRUE, SAID, {}, leading="cider")
    with pytest.raises(OptionError, match="did you mean 'char'"):
        text_scores(TRUE, SAID, {}, tokenizer="chars")


@pytest.mark.parametrize("library", ["sacrebleu", "rouge_score"])
def test_a_missing_library_is_one_clear_error(library, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    real = builtins.__import__

    def without(name, *rest, **named):
        if name.partition(".")[0] == library:
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UnsupportedError, match=r"pip install 'unrolled\[metrics\]'"):
        text_scores(TRUE, SAID, {})
