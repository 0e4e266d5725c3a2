"""Options of odd kinds are one sentence that names the option; numbers and lists of libraries are taken."""

import inspect
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

import unrolled as ur
from folders.tiny_tasks import RECORDS, tiny
from unrolled.errors import OptionError, UnrolledError
from unrolled.tasks.registry import TASKS, task_class

ODD = {
    "int64": np.int64(4),
    "float32": np.float32(4),
    "text": "4",
    "bool": True,
    "Decimal": Decimal(4),
    "Fraction": Fraction(1, 2),
    "bool_": np.bool_(True),
    "array without axes": np.array(4),
    "array": np.array([4]),
    "array of dates": np.array(["2024-01-01"], dtype="datetime64[D]"),
    "Path": Path("x"),
    "tuple": (4,),
    "list": [4],
    "dict": {"a": 1},
    "None": None,
    "NaN": float("nan"),
    "float": 4.0,
    "negative": -1,
    "huge": 10**30,
    "tensor": torch.tensor(4),
    "tensors": torch.tensor([4, 5]),
    "NA": pd.NA,
    "bytes": b"4",
    "object": object(),
    "function": len,
    "class": ur.Words,
    "range": range(3),
    "set": {4},
    "complex": 1j,
    "pandas": pd.Series([4]),
    "polars": pl.Series([4]),
    "frame": pd.DataFrame({"a": [1]}),
}


@pytest.mark.parametrize("task", TASKS)
def test_an_option_of_any_kind_is_taken_or_refused_in_one_sentence(task):
    make = task_class(task)
    for name in inspect.signature(make).parameters:
        for kind, odd in ODD.items():
            with pytest.raises(UnrolledError) as caught:
                make(**{name: odd}).fit(None)  # the data are refused where the option is taken
            said = str(caught.value)
            assert said.startswith((name, "data:", "fit:")), (name, kind, said)
            assert len(said) < 400, (name, kind)
            assert "\n" not in said, (name, kind)


@pytest.mark.parametrize(
    "odd", [4, None, "x", {"a": 1}, [4], [ur.LSTMCell], np.array([1]), len], ids=lambda odd: type(odd).__name__
)
def test_callbacks_that_are_none_are_refused(odd):
    with pytest.raises(OptionError, match="callbacks: expected a list of"):
        ur.Classifier().fit(["a"], ["b"], callbacks=odd)


OF_VERBS = {
    "Translator": {"beam_size": 2, "max_length": 3, "length_penalty": 1, "coverage_penalty": 0},
    "Captioner": {"beam_size": 2, "max_length": 3, "length_penalty": 1, "coverage_penalty": 0},
    "Recommender": {"k": 2, "exclude_seen": True},
    "NextPlace": {"k": 2, "exclude_seen": True},
}


@pytest.mark.parametrize("make", [np.int64, np.float64, np.array, torch.tensor], ids=lambda make: make.__name__)
@pytest.mark.parametrize("name", OF_VERBS)
def test_numbers_of_any_library_are_options_of_predict(name, make):
    model, data, _ = tiny(name)

    def asked(options):
        return repr(list(model.predict(data, **options)))

    for option, value in OF_VERBS[name].items():
        given = np.bool_(value) if make is np.int64 and isinstance(value, bool) else make(value)
        if make is np.float64 and option in ("beam_size", "max_length", "k", "exclude_seen"):
            with pytest.raises(OptionError, match=option):
                asked({option: given})
        else:
            assert asked({option: given}) == asked({option: value})


@pytest.mark.parametrize("odd", [1, "i1", b"i1", {"i1": 1}, np.array("i1"), 1.5, len], ids=lambda odd: str(type(odd)))
def test_allowed_items_are_a_list(odd):
    model, data, _ = tiny("Recommender")
    with pytest.raises(UnrolledError, match="allowed: expected a list of items"):
        model.predict(data, allowed=odd)


@pytest.mark.parametrize("make", [list, tuple, set, np.array, pd.Series, pl.Series, iter, dict.fromkeys])
def test_allowed_items_come_in_any_list(make):
    model, data, _ = tiny("Recommender")
    given = make(["i1", "i4"])
    given = given.keys() if isinstance(given, dict) else given
    assert set(model.predict(data, k=5, allowed=given)["item"]) == {"i1", "i4"}


def test_what_starts_a_text_is_cast_and_refused_as_records_are():
    model = ur.LanguageModel("text", given=["code"], hidden_size=4)
    rows = [{"text": row["text"], "code": ["7", "A5"][place % 2]} for place, row in enumerate(RECORDS)]
    model.fit(rows, epochs=1, progress=False, baselines=False)
    want = model.generate(length=4, seed=0, given={"code": "7"})
    assert model.generate(length=4, seed=0, given={"code": 7}) == want
    for odd in (1, "7", ["7"], {1: 2}, {"code": "7", 3: 4}):
        with pytest.raises(OptionError, match="given"):
            model.generate(length=4, given=odd)


@pytest.mark.parametrize(
    ("make", "data", "y"),
    [
        (lambda: ur.Classifier(["text", "y"]), RECORDS, None),
        (lambda: ur.Classifier(ur.Words("y")), RECORDS, None),
        (lambda: ur.Tagger("tags"), RECORDS, None),
        (lambda: ur.Tagger(inputs=["words", "tags"]), RECORDS, None),
    ],
)
def test_a_target_is_no_input(make, data, y):
    with pytest.raises(OptionError, match="inputs: expected columns other than the one to predict"):
        make().fit(data, y, epochs=1, progress=False)
