"""One small model of every task, with data that lack values: for tests of what stands in the place of these."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

import unrolled as ur
from folders.tiny_tasks import events, log, series
from unrolled.data.readers import as_source

FAST = {"epochs": 1, "progress": False, "baselines": False, "validation": 0, "device": "cpu"}
MARKS = [-9999, "absent"]
IN_TIME = {"time": "day", "group": "site"}


@functools.cache  # no test changes them
def rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    return [
        {
            "text": ["to be", "or not", "that is"][row % 3],
            "source": None if row % 5 == 3 else ["to be", "or not", "that is"][row % 3],
            "size": None if row % 4 == 1 else row / 7,
            "count": None if row % 5 == 2 else row,
            "steps": [round(float(one), 2) if one > -1 else None for one in rng.normal(size=4)],
            "frames": [[0.5, None if row % 3 == 1 else row / 9], [0.25, 1.0], [row / 5, 0.0]],
            "roll": [[1, 0, None if row % 3 == 2 else 1], [0, 1, 1]],
            "picture": np.full((8, 8), 25 * row % 251, dtype=np.uint8).tolist(),
            "words": ["a", "b"] if row % 2 else ["b", "c"],
            "tags": ["X", "N", "N", "X"],
            "y": "uv"[row % 2],
        }
        for row in range(24)
    ]


def _gaps(frame: pl.DataFrame, every: int, *names: str) -> pl.DataFrame:
    """Leave out one value in so many of some columns."""
    gap = pl.int_range(pl.len()) % every == 5
    return frame.with_columns(pl.when(~gap).then(name).alias(name) for name in names)


@functools.cache
def long() -> list[dict[str, Any]]:
    return _gaps(series(60).frame, 11, "load").to_dicts()


@functools.cache
def pages() -> list[dict[str, Any]]:
    return _gaps(events(60).frame, 11, "page").to_dicts()


@functools.cache
def visits() -> list[dict[str, Any]]:
    return _gaps(log(), 7, "price", "lat").with_columns(pl.col("time").cast(pl.String)).to_dicts()


SMALL = {"hidden_size": 4}
ITEMS = {**SMALL, "embedding_size": 4, "features": ["price"]}
MAKERS: dict[str, tuple[Callable[[], Any], Callable[[], Any], dict[str, str]]] = {  # task, data, options of reading
    "Classifier": (lambda: ur.Classifier([ur.Words("text"), "size", "count"], "y", **SMALL), rows, {}),
    "Classifier, steps": (lambda: ur.Classifier(ur.Numbers("steps"), "y", **SMALL), rows, {}),
    "Classifier, characters": (lambda: ur.Classifier([ur.Characters("source")], "y", **SMALL), rows, {}),
    "Tagger": (lambda: ur.Tagger(inputs=ur.Numbers("steps"), target="tags", **SMALL), rows, {}),
    "LanguageModel": (lambda: ur.LanguageModel("text", given=["size"], **SMALL), rows, {}),
    "SequenceModel": (lambda: ur.SequenceModel("roll", **SMALL), rows, {}),
    "SequenceModel, mixture": (lambda: ur.SequenceModel("frames", output="mixture", **SMALL), rows, {}),
    "Translator": (lambda: ur.Translator("source", "y", **SMALL), rows, {}),
    "Captioner": (lambda: ur.Captioner(ur.Pictures("picture", size=8, channels=1), "source", **SMALL), rows, {}),
    "Forecaster": (lambda: ur.Forecaster("load", past_covariates=["heat"], horizon=2, **SMALL), long, IN_TIME),
    "Detector": (lambda: ur.Detector(["load", "heat"], warm_up=5, **SMALL), long, IN_TIME),
    "Detector, events": (lambda: ur.Detector("page", warm_up=5, **SMALL), pages, {"time": "t"}),
    "Recommender": (lambda: ur.Recommender("user", "item", "time", **ITEMS), visits, {}),
    "NextPlace": (lambda: ur.NextPlace("user", "item", "time", latitude="lat", longitude="lon", **ITEMS), visits, {}),
}
STREAMED = {  # that read forwards, in place of those that need the whole record
    "Classifier": (
        lambda: ur.Classifier([ur.Numbers("steps"), "size"], "y", bidirectional=False, pooling="last", **SMALL),
        rows,
        {},
    ),
    "Tagger": (lambda: ur.Tagger(inputs=ur.Numbers("steps"), bidirectional=False, **SMALL), rows, {}),
    **{
        name: MAKERS[name]
        for name in MAKERS
        if name.partition(",")[0] not in ("Classifier", "Tagger", "Translator", "Captioner")
    },
}
_ASK = {
    "Classifier": lambda model, data: model.predict_proba(data),
    "Tagger": lambda model, data: model.predict_proba(data),
    "LanguageModel": lambda model, data: model.score_texts(data),
    "Recommender": lambda model, data: model.predict(data, k=4),
    "Detector": lambda model, data: model.detect(data),
}


def marked(records: Any, mark: Any) -> Any:
    """Return records in which a mark stands for each missing value, also in lists of numbers."""

    def one(value: Any) -> Any:
        return mark if value is None else [one(step) for step in value] if isinstance(value, list) else value

    return [{name: one(value) for name, value in record.items()} for record in records]


@functools.cache
def fitted(name: str, streamed: bool = False) -> Any:
    """Return a model that learnt from data with marks of its own."""
    make, data, options = (STREAMED if streamed else MAKERS)[name]
    return make().fit(as_source(marked(data(), -9999), missing=MARKS, **options), **FAST)


def answer(name: str, model: Any, data: Any) -> Any:
    """Return what a model says, as plain values."""
    found = _ASK.get(name.partition(",")[0], lambda model, data: model.predict(data))(model, data)
    return found.rows() if isinstance(found, pl.DataFrame) else [np.asarray(one).tolist() for one in found]
