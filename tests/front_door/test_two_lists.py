"""Sequences and targets as two lists are examples of every task, in any form, under the names of its columns."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import unrolled as ur
from unrolled.errors import DataError, OptionError

TINY = {"epochs": 1, "progress": False, "baselines": False, "device": "cpu"}
TEXTS, LABELS = ["the cat sat", "a dog ran"] * 8, ["a", "b"] * 8
WORDS, TAGS = [["the", "cat"], ["a", "dog"]] * 8, [["D", "N"], ["D", "V"]] * 8
ITEMS = [["a", "b", "c"], ["b", "c", "a"]] * 8
FRAMES = list(np.random.default_rng(0).normal(size=(16, 5, 2)))

MAKE = {
    "Classifier": (lambda: ur.Classifier(hidden_size=4), TEXTS, LABELS, "x", "y"),
    "Classifier of named columns": (
        lambda: ur.Classifier("text", "label", hidden_size=4),
        TEXTS,
        LABELS,
        "text",
        "label",
    ),
    "Tagger": (lambda: ur.Tagger(hidden_size=4), WORDS, TAGS, "words", "tags"),
    "Translator": (lambda: ur.Translator(hidden_size=4), TEXTS, TEXTS[::-1], "source", "target"),
    "LanguageModel": (lambda: ur.LanguageModel(hidden_size=4), TEXTS, None, "text", None),
    "Recommender": (lambda: ur.Recommender(hidden_size=4, embedding_size=4), ITEMS, None, "item", None),
    "SequenceModel": (lambda: ur.SequenceModel(hidden_size=4), FRAMES, None, "frames", None),
    "Captioner": (
        lambda: ur.Captioner(hidden_size=4),
        list(np.stack(FRAMES).reshape(16, 10)),
        TEXTS,
        "picture",
        "caption",
    ),
}


def answers(model, data):
    if isinstance(model, ur.LanguageModel):
        return model.generate(length=5, seed=0)
    found = model.predict(data)
    return (
        found.drop("user").to_dicts()
        if isinstance(found, pl.DataFrame)
        else [np.asarray(one).tolist() for one in found]
    )


@pytest.mark.parametrize("name", MAKE)
def test_two_lists_and_records_give_the_same_model(name):
    make, x, y, reads, writes = MAKE[name]
    plain = [np.asarray(one).tolist() if isinstance(one, np.ndarray) else one for one in x]
    records = [{reads: one} for one in plain]
    if name == "Recommender":
        records = [{"user": place, **record} for place, record in enumerate(records)]
    asked = records[:2]
    if y is not None:
        records = [{**record, writes: target} for record, target in zip(records, y, strict=True)]
    want = answers(make().fit(records, **TINY), asked)
    assert answers(make().fit(x, y, **TINY), x[:2]) == want
    assert answers(make().fit(tuple(x), None if y is None else tuple(y), **TINY), tuple(x[:2])) == want
    assert answers(make().fit(iter(x), None if y is None else iter(y), **TINY), iter(x[:2])) == want
    assert answers(make().fit(pd.Series(x), None if y is None else pd.Series(y), **TINY), pd.Series(x[:2])) == want


@pytest.mark.parametrize("name", [name for name, made in MAKE.items() if made[2] is None])
def test_targets_for_a_task_that_takes_none_are_refused(name):
    make, x, *_ = MAKE[name]
    with pytest.raises(OptionError, match="their own target, received list"):
        make().fit(x, [1] * 16, **TINY)


@pytest.mark.parametrize("name", [name for name, made in MAKE.items() if made[2] is not None])
def test_another_number_of_targets_is_refused(name):
    make, x, y, *_ = MAKE[name]
    with pytest.raises(DataError, match="expected 16 targets, received 15"):
        make().fit(x, y[:-1], **TINY)


def test_targets_beside_a_table_take_the_name_of_the_target():
    table = pd.DataFrame({"text": TEXTS})
    model = ur.Classifier(target="label", hidden_size=4).fit(table, pd.Series(LABELS), **TINY)
    assert str(model.evaluate(table, LABELS))
    assert len(model.predict(table)) == 16


def test_missing_texts_are_empty_ones_for_every_task_of_texts():
    holes = [*TEXTS[:-1], None]
    for make, y in ((ur.Classifier, LABELS), (ur.Translator, TEXTS), (ur.LanguageModel, None)):
        model = make(hidden_size=4).fit(holes, y, **TINY)
        if y is not None:
            assert len(model.predict([None, "a"])) == 2


def test_one_series_in_each_row_of_a_frame_is_classified():
    values = np.random.default_rng(0).normal(size=(16, 8))
    rows = pd.DataFrame(values)
    lists = ur.Classifier(hidden_size=4).fit(values, LABELS, **TINY)
    for frame in (rows, rows.rename(columns="t{}".format), rows[rows.columns[::-1]]):
        model = ur.Classifier(hidden_size=4).fit(frame, LABELS, **TINY)
        assert model.predict_proba(frame).tolist() == lists.predict_proba(values).tolist()
    labelled = ur.Classifier(target="label", hidden_size=4).fit(rows.assign(label=LABELS), **TINY)
    assert labelled.predict_proba(rows).tolist() == lists.predict_proba(values).tolist()
    with pytest.raises(DataError, match="sequence"):
        ur.Classifier(hidden_size=4).fit(rows.rename(columns={3: "age"}), LABELS, **TINY)


def test_labels_of_rows_are_no_inputs_unless_they_are_named():
    days = pd.date_range("2024-01-01", periods=16, name="day")
    plain = pd.DataFrame({"text": TEXTS, "y": LABELS})
    want = ur.Classifier(hidden_size=4).fit(plain, **TINY).predict_proba(plain).tolist()
    for index in (days, days[[0] * 16], pd.Index([f"row {place}" for place in range(16)], name="id")):
        frame = plain.set_index(index)
        model = ur.Classifier(hidden_size=4).fit(frame, **TINY)
        assert model.predict_proba(frame).tolist() == want
        assert model.predict_proba(plain).tolist() == want
    named = ur.Classifier([ur.Characters("text"), "day"], hidden_size=4).fit(plain.set_index(days), **TINY)
    assert named.codecs_.columns == ("text", "day")


# ---- lists of words ------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [["the cat"] * 16, pd.Series(["the cat"] * 16), [{"words": "the cat"}] * 16])
@pytest.mark.parametrize("baselines", [True, False])
def test_words_as_one_text_are_refused_in_fit(data, baselines):
    options = {**TINY, "baselines": baselines}
    given = (data, TAGS) if not isinstance(data[0], dict) else ([{**one, "tags": ["D", "N"]} for one in data],)
    with pytest.raises(DataError, match=r"column 'words': expected a list of words .*'the cat' in row 0"):
        ur.Tagger(hidden_size=4).fit(*given, **options)


def test_words_as_one_text_are_refused_in_questions():
    model = ur.Tagger(hidden_size=4).fit(WORDS, TAGS, **TINY)
    for ask in (model.predict, model.predict_proba, lambda data: model.evaluate(data, TAGS[:1])):
        with pytest.raises(DataError, match=r"column 'words'.*'the cat'"):
            ask(["the cat"])
    with pytest.raises(DataError, match=r"column 'words'.*'the cat'"):
        model.predict([{"words": "the cat"}])


def test_tags_as_one_text_are_refused():
    with pytest.raises(DataError, match=r"column 'tags': expected a list of labels .*'DN' in row 0"):
        ur.Tagger(hidden_size=4).fit([{"words": ["the", "cat"], "tags": "DN"}] * 16, **TINY)


def test_items_as_one_text_are_refused():
    with pytest.raises(DataError, match="a list of items for each user"):
        ur.Recommender(hidden_size=4).fit(["a b c"] * 16, **TINY)


# ---- options -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [np.int64, np.array, torch.tensor, np.uint8])
def test_numbers_of_any_library_are_options(make):
    model = ur.Forecaster(horizon=make(2), hidden_size=make(4), num_layers=make(1), context_length=make(0))
    model.fit(
        np.sin(np.arange(60.0)), epochs=make(1), batch_size=make(8), seed=make(3), progress=False, baselines=False
    )
    assert model.get_params()["hidden_size"] == 4
    assert type(model.get_params()["horizon"]) is int
    assert len(model.predict()) == 2
    assert model.backtest(np.sin(np.arange(90.0)), stride=make(2), start=make(62)).height


@pytest.mark.parametrize("make", [np.bool_, np.array, torch.tensor])
def test_flags_of_any_library_are_options(make):
    model = ur.Tagger(hidden_size=4, bidirectional=make(False), dropout=np.float32(0.25))
    model.fit(WORDS, TAGS, epochs=1, progress=make(False), baselines=make(False), rival=make(False))
    assert model.get_params()["bidirectional"] is False


def test_arrays_of_options_are_lists():
    model = ur.Forecaster(quantiles=np.array([0.1, 0.9]), hidden_size=4, layers={"learn_initial_state": np.bool_(True)})
    model.fit(np.sin(np.arange(60.0)), epochs=1, progress=False)
    assert model.predict().columns == ["step", "q0.1", "q0.9"]


@pytest.mark.parametrize(
    "model",
    [
        ur.Forecaster(["y"]),
        ur.Tagger(["words"]),
        ur.Tagger(target=["tags"]),
        ur.LanguageModel(["text"]),
        ur.LanguageModel(unit=["characters"]),
        ur.Translator(["source"]),
        ur.Translator(target=["target"]),
        ur.Recommender(["user"]),
        ur.Recommender(item=["item"]),
        ur.Classifier(target=["y"]),
    ],
    ids=repr,
)
def test_a_name_in_a_list_is_one_sentence(model):
    with pytest.raises(OptionError, match=r"expected (a (name|column)|the name of one column)"):
        model.fit(WORDS, TAGS if isinstance(model, ur.Tagger | ur.Classifier | ur.Translator) else None, **TINY)


# ---- pairs of a sequence and a target --------------------------------------------------------------

SERIES = [np.random.default_rng(row).normal(size=5) for row in range(16)]
PAIRS = {
    "arrays": (SERIES, LABELS),
    "tensors beside numbers": (list(map(torch.from_numpy, SERIES)), [torch.tensor(row % 2) for row in range(16)]),
    "arrays (T, F)": (FRAMES, LABELS),
    "lists of words": (WORDS, LABELS),
    "texts beside numbers": (TEXTS, [0, 1] * 8),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_of_a_sequence_and_a_target_are_read_as_two_lists(kind):
    x, y = PAIRS[kind]
    plain = [one.item() if isinstance(one, torch.Tensor) else one for one in y]
    model = ur.Classifier(target="label", hidden_size=4).fit(x, plain, **TINY)
    want = model.predict_proba(x).tolist()
    pairs = list(zip(x, y, strict=True))
    for given in (pairs, list(map(list, pairs)), iter(pairs)):
        again = ur.Classifier(target="label", hidden_size=4).fit(given, **TINY)
        assert again.predict_proba(pairs).tolist() == again.predict_proba(x).tolist() == want
        assert str(again.evaluate(pairs)) == str(model.evaluate(x, plain))


@pytest.mark.parametrize("task", [ur.LanguageModel, ur.SequenceModel, ur.Recommender, ur.Forecaster, ur.Detector])
def test_pairs_are_refused_where_data_are_their_own_target(task):
    with pytest.raises(OptionError, match="y: expected None: the data are their own target, received pairs"):
        task(hidden_size=4).fit(list(zip(SERIES, LABELS, strict=True)), **TINY)


@pytest.mark.parametrize(
    ("task", "pairs"),
    [
        (ur.Classifier, list(zip(TEXTS, LABELS, strict=True))),
        (ur.Classifier, (TEXTS, LABELS)),
        (ur.Classifier, list(zip([0, 1] * 8, TEXTS, strict=True))),
        (ur.Translator, list(zip(TEXTS, TEXTS, strict=True))),
        (ur.Tagger, list(zip(WORDS, TAGS, strict=True))),
        (ur.Tagger, [list(zip(*one, strict=True)) for one in zip(WORDS, TAGS, strict=True)]),
    ],
)
def test_pairs_that_may_be_one_sequence_are_refused_with_what_to_pass(task, pairs):
    with pytest.raises(DataError, match=r"sequences and targets as two lists, fit\(sequences, targets\)$"):
        task(hidden_size=4).fit(pairs, **TINY)
