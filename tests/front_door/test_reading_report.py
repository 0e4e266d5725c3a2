"""After every call `report_` counts what the model does not know; above a fifth unknown a warning names it."""

import datetime as dt
import threading
import warnings

import numpy as np
import pytest

import unrolled as ur
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.text.characters import Characters
from unrolled.reading_report import COUNTED, Share, UnrolledWarning, lines_of
from unrolled.tasks.shared.reported import reading

QUIET = {"epochs": 1, "progress": False}
DNA = ["ACGTACGT", "TTGATTGA"] * 12
KINDS = ["x", "y"] * 12
PAIRS = ["ab", "ba", "aab", "bba"] * 8
TAGGED = [{"words": ["the", "cat"], "tags": ["D", "N"]}, {"words": ["a", "dog"], "tags": ["D", "N"]}] * 8
DAY = dt.date(2024, 1, 1)


@pytest.fixture(scope="module")
def dna():
    return ur.Classifier(hidden_size=4).fit(DNA, KINDS, **QUIET)


def days(count, shops=("012", "A5"), but=(), start=0):
    rows = [
        {"shop": shop, "day": DAY + dt.timedelta(start + day), "kwh": float(day % 7)}
        for shop in shops
        for day in range(count)
        if day not in but
    ]
    return ur.as_source(rows, time="day", group="shop")


# ---- what is warned of ------------------------------------------------------------------------------


def test_letters_in_the_other_case_are_warned_of_with_column_share_example_and_remedy(dna):
    with pytest.warns(UnrolledWarning, match=r"column 'x': 100\.0% of 8 characters .* 'a'.* known in upper case"):
        dna.predict(["acgtacgt"])
    assert dna.report_["share unknown"] == 1.0
    assert dna.report_["columns"]["x"]["examples"] == ["a", "c", "g"]


@pytest.mark.parametrize(("text", "warned"), [("ACGTN", False), ("ACGNN", True), ("ACGTACGT", False), ("", False)])
def test_more_than_a_fifth_is_warned_of(dna, text, warned):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        dna.predict([text])
    assert [one.category for one in seen] == [UnrolledWarning] * warned
    assert bool(dna.report_["warnings"]) is warned


def test_training_warns_of_nothing_as_its_scores_say_it():
    texts = [f"only{chr(0x400 + row)}{chr(0x500 + row)}{chr(0x600 + row)}" * 2 for row in range(60)]
    model = ur.Classifier(hidden_size=4).fit(texts, KINDS[:2] * 30, validation=0.5, **QUIET)
    assert model.scores_.report["share unknown"] > 0.2
    assert "No verdict" in str(model.scores_) or "loses" in str(model.scores_) or "equals" in str(model.scores_)


def test_a_column_is_known_if_one_of_its_readers_knows_it():
    words = [["cat", "act", "tac"], ["dog", "god", "odg"]] * 8
    model = ur.Tagger(hidden_size=4).fit([{"words": one, "tags": ["A", "B", "C"]} for one in words], **QUIET)
    model.predict([{"words": ["tca"]}])  # a new word of known letters
    assert model.report_["columns"]["words"]["unknown"] == 1
    assert model.report_["columns"]["words (characters)"]["unknown"] == 0
    assert not model.report_["warnings"]


# ---- what is counted --------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_tokens_and_empty_records_are_counted_once_in_scores_too(dna):
    for ask in (lambda: dna.predict(["acGT", ""]), lambda: dna.predict_proba(["acGT", ""])):
        ask()
        assert (dna.report_["tokens"], dna.report_["unknown"], dna.report_["empty records"]) == (4, 2, 1)
    scores = dna.evaluate(["acGT", ""], ["x", "y"])
    assert scores.report == dna.report_
    assert (scores.report["tokens"], scores.report["unknown"], scores.report["empty records"]) == (4, 2, 1)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_a_rival_and_nested_calls_count_nothing_twice():
    model = ur.Tagger(hidden_size=4).fit(TAGGED, rival=True, **QUIET)
    scores = model.evaluate([{"words": ["the", "zzz"], "tags": ["D", "N"]}])
    assert (scores.report["columns"]["words"]["tokens"], scores.report["columns"]["words"]["unknown"]) == (2, 1)


def test_missing_values_are_no_unknown_ones():
    rows = [{"text": "ab", "site": "pq"[row % 2], "y": row % 2} for row in range(16)]
    model = ur.Classifier([Characters("text"), Categories("site")], hidden_size=4).fit(rows, **QUIET)
    model.predict([{"text": "ab", "site": None}])
    assert (model.report_["unknown"], model.report_["missing values"]) == (0, 1)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_series_gaps_and_repeated_rows_are_counted():
    model = ur.Forecaster("kwh", horizon=2, hidden_size=4).fit(days(40), **QUIET)
    model.predict(days(30, ("012",), start=40))
    assert (model.report_["unseen series"], model.report_["gaps filled"]) == (0, 0)
    model.predict(days(30, ("12", "A5"), but=(7, 8, 20), start=40))
    assert (model.report_["unseen series"], model.report_["gaps filled"]) == (1, 6)
    rows = days(30, ("012",), start=40).frame
    model.predict(ur.as_source(rows.extend(rows.tail(1)), time="day", group="shop"))
    assert model.report_["rows left out"] == 1
    scores = model.evaluate(days(30, ("B",), but=(3,)))
    assert (scores.report["unseen series"], scores.report["gaps filled"]) == (1, 1)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_rows_a_detector_fills_in_are_counted():
    model = ur.Detector("kwh", hidden_size=4, warm_up=5).fit(days(60), **QUIET)
    model.predict(days(30, ("012", "C"), but=(7, 8), start=90))
    assert (model.report_["unseen series"], model.report_["gaps filled"]) == (1, 4)


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_events_that_training_never_saw_are_counted():
    rows = [{"second": row, "event": "ab"[row % 2]} for row in range(80)]
    model = ur.Detector("event", hidden_size=4, warm_up=5).fit(ur.as_source(rows, time="second"), **QUIET)
    later = [{"second": 100 + row, "event": "abz"[row % 3]} for row in range(20)]
    model.detect(ur.as_source(later, time="second"))
    found = {"tokens": 20, "unit": "values", "unknown": 6, "share": 0.3, "examples": ["z"], "hint": ""}
    assert model.report_["columns"]["event"] == found


def test_items_that_training_never_saw_are_counted():
    model = ur.Recommender(user=None, hidden_size=4).fit([{"item": ["A", "B", "C"]}, {"item": ["B", "C"]}] * 8, **QUIET)
    with pytest.warns(UnrolledWarning, match="column 'item': 50.0% of 4 items .* 'a'.* upper case"):
        model.predict([{"item": ["A", "a"]}, {"item": ["c", "C"]}])


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_every_task_reports_the_same_counts():
    wave = np.sin(np.arange(60.0))
    asked = [
        (ur.Classifier(hidden_size=4).fit(DNA, KINDS, **QUIET), DNA),
        (ur.Tagger(hidden_size=4).fit(TAGGED, **QUIET), TAGGED),
        (ur.LanguageModel(hidden_size=4).fit("the cat sat. " * 30, **QUIET), ["the cat"]),
        (ur.Translator(hidden_size=4).fit(PAIRS, PAIRS, baselines=False, **QUIET), PAIRS[:2]),
        (ur.SequenceModel(hidden_size=4).fit([{"frames": wave[:, None].tolist()}] * 8, **QUIET), [{"frames": [[0.5]]}]),
        (ur.Forecaster(horizon=2, hidden_size=4).fit(wave, **QUIET), wave),
        (ur.Detector(hidden_size=4, warm_up=5).fit(wave, **QUIET), wave),
        (ur.Recommender(user=None, hidden_size=4).fit([{"item": ["A", "B"]}] * 8, **QUIET), [{"item": ["A"]}]),
    ]
    names = {"tokens", "unknown", "share unknown", "columns", "empty records", *COUNTED, "shares", "warnings"}
    for model, data in asked:
        model.report_ = {}
        model.predict(data)
        assert set(model.report_) == names, type(model)
        assert all(isinstance(model.report_[name], int) for name in COUNTED)
        assert model.report_["unknown"] == 0, type(model)


@pytest.mark.parametrize(
    ("unknown", "hint"),
    [
        ("YES", "in lower case"), ("tea", "in upper case"), ("paris", "with a capital letter"),
        ("yes ", "without the blanks around them"), ("yes\u00a0", "without the blanks around them"),
        ("YES ", "in lower case, without the blanks around them"), ("Cafe\u0301", "in the Unicode form NFC"),
        ("Pe\u00f1a", "in the Unicode form NFD"), ("maybe", ""), (7, ""),
    ],
)  # fmt: skip
def test_the_spelling_in_which_an_unknown_value_is_known_is_named(unknown, hint):
    share = Share("values", 3, 1)
    share.learn([unknown], {"yes", "TEA", "Paris", "Caf\u00e9", "Pen\u0303a"}.__contains__)
    assert share.hint == (f"most are known {hint}" if hint else "")


# ---- whose counts they are --------------------------------------------------------------------------


def test_threads_that_ask_one_model_count_apart(dna):
    before, wrong = dna.report_, []

    def ask(size):
        for _ in range(20):
            with reading(dna) as tally:
                dna.predict(["a" * size, "ACGT"])
            found = tally.report()
            if (found["tokens"], found["unknown"]) != (size + 4, size):
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(size,)) for size in range(1, 7)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert dna.report_ is before


def test_a_task_of_ones_own_reports_as_well(dna):
    class Loud(ur.Classifier):
        def predict(self, data):
            return [f"{label}!" for label in super().predict(data)]

    model = Loud(hidden_size=4).fit(DNA, KINDS, **QUIET)
    with pytest.warns(UnrolledWarning, match="characters") as seen:
        assert model.predict(["acgt"])[0].endswith("!")
    assert len(seen) == 1
    assert model.report_["tokens"] == 4


def test_a_loaded_model_reports_what_a_fitted_one_does(dna, tmp_path):
    loaded = type(dna).load(dna.save(tmp_path / "model"))
    dna.predict(["ACGTN"])
    loaded.predict(["ACGTN"])
    assert loaded.report_ == dna.report_


# ---- where it is shown ------------------------------------------------------------------------------


def test_scores_show_what_is_unknown_in_print_and_as_json_and_give_no_praise(dna):
    with pytest.warns(UnrolledWarning):
        scores = dna.evaluate(["ACGTacgt", "TTGA"], ["x", "y"])
    assert "column 'x': 33.3% of 12 characters are unknown, such as 'a', 'c', 'g'; most are" in str(scores)
    assert "beats" not in str(scores)
    plain = scores.to_json()
    assert plain["report"]["unknown"] == 4
    assert ur.Scores.from_json(plain).report == scores.report
    del plain["report"]  # as an older version wrote it
    assert ur.Scores.from_json(plain).report == {}


def test_a_report_prints_only_what_is_not_zero(dna):
    dna.predict(["ACGTACGTN", ""])
    found = ["column 'x': 11.1% of 9 characters are unknown, such as 'N'", "empty records: 1"]
    assert lines_of(dna.report_) == found


def test_long_and_many_unknown_values_take_little_room():
    share = Share("words")
    share.learn([f"{'long' * 1000}{n}" for n in range(10_000)], lambda _: False)
    assert share.looked_at <= 64
    assert sum(map(len, share.examples)) <= 120
