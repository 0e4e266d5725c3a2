"""One tiny fitted model of every task, with what it is asked: for tests of what happens to its folder."""

import datetime as dt
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.data.source import Table
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.classification.tagger import Tagger
from unrolled.tasks.detection.detector import Detector
from unrolled.tasks.forecasting.forecaster import Forecaster
from unrolled.tasks.items.next_place import NextPlace
from unrolled.tasks.items.recommender import Recommender
from unrolled.tasks.language.language_model import LanguageModel
from unrolled.tasks.seq2seq.captioner import Captioner
from unrolled.tasks.seq2seq.translator import Translator
from unrolled.tasks.vectors.sequence_model import SequenceModel

TRAINING = {"epochs": 1, "device": "cpu", "validation": 0.2}
DRAW = np.random.default_rng(0)
WORDS = [[str(w) for w in DRAW.choice(["Anna", "runs", "Straße", "日本"], DRAW.integers(1, 6))] for _ in range(48)]
RECORDS = [
    {
        "text": " ".join(words),
        "words": words,
        "tags": ["N" if word[0].isupper() else "X" for word in words],
        "y": "uvw"[row % 3],
        "kind": "ab"[row % 2],
        "size": row / 7,
        "roll": (DRAW.random((3 + row % 4, 3)) < 0.4).astype(int).tolist(),
        "stroke": DRAW.normal(size=(4, 2)).round(3).tolist(),
        "picture": np.full((8, 8), 255 * row % 251, dtype=np.uint8),
    }
    for row, words in enumerate(WORDS)
]


def series(steps: int = 120) -> Table:
    frames = []
    for site, level in (("a", 20.0), ("b", 400.0)):
        days = [dt.date(2022, 1, 3) + dt.timedelta(days=step) for step in range(steps)]
        load = level + 4 * np.sin(2 * np.pi * np.arange(steps) / 7) + DRAW.normal(size=steps)
        frames.append(pl.DataFrame({"day": days, "site": site, "load": load, "heat": load / 2}))
    return Table(pl.concat(frames), time="day", group="site")


def events(steps: int = 160) -> Table:
    pages = ["home", "list", "item"]
    return Table(pl.DataFrame({"t": np.arange(steps), "page": [pages[t % 3] for t in range(steps)]}), time="t")


def log() -> pl.DataFrame:
    rows = []
    for user in range(16):
        time = dt.datetime(2024, 1, 1) + dt.timedelta(hours=user)
        for item in [user % 4, *DRAW.integers(4, 8, size=4).tolist(), user % 4]:
            time += dt.timedelta(hours=float(DRAW.integers(1, 30)))
            where = {"lat": 50 + item / 100, "lon": 8 + item / 50}
            rows.append({"user": f"u{user}", "item": f"i{item}", "time": time, "price": float(item), **where})
    return pl.DataFrame(rows)


class Tiny(NamedTuple):
    """A model and the question."""

    model: Any
    data: Any
    ask: Callable[[Any, Any], Any]  # of a loaded model: answers that can be compared by their repr


def _predict(model: Any, data: Any) -> Any:
    return model.predict(data)


def _score(model: Any, data: Any) -> Any:
    return [np.asarray(part).tolist() for part in model.score_texts(data)]


def _likely(model: Any, data: Any) -> Any:
    return [np.asarray(part).tolist() for part in model.predict_proba(data)]


def _best(model: Any, data: Any) -> Any:
    return [(best.text, best.log_probability) for best, *_ in model.n_best(data)]


def _frame(model: Any, data: Any) -> Any:
    return model.predict(data).to_dicts()


def _detect(model: Any, data: Any) -> Any:
    return model.detect(data).to_dicts()


def _top(model: Any, data: Any) -> Any:
    return model.predict(data, k=3).to_dicts()


MAKERS: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "Classifier": lambda: (
        Classifier([Words("words"), "kind", Numbers(["size"])], "y", hidden_size=6),
        RECORDS,
        _likely,
    ),
    "Classifier, characters": lambda: (Classifier([Characters("text")], "y", hidden_size=6), RECORDS, _likely),
    "Tagger": lambda: (Tagger("words", target="tags", hidden_size=6), RECORDS, _likely),
    "LanguageModel": lambda: (LanguageModel("text", given=["kind"], hidden_size=6), RECORDS, _score),
    "SequenceModel": lambda: (SequenceModel("roll", hidden_size=6), RECORDS, _predict),
    "SequenceModel, mixture": lambda: (SequenceModel("stroke", output="mixture", hidden_size=6), RECORDS, _predict),
    "Translator": lambda: (Translator("text", "kind", hidden_size=6), RECORDS, _best),
    "Captioner": lambda: (
        Captioner(Pictures("picture", size=8, channels=1), "text", hidden_size=6),
        RECORDS,
        _best,
    ),
    "Forecaster": lambda: (Forecaster("load", past_covariates=["heat"], horizon=2, hidden_size=6), series(), _frame),
    "Detector": lambda: (Detector(["load", "heat"], hidden_size=6, warm_up=20), series(), _detect),
    "Detector, events": lambda: (Detector("page", hidden_size=6, warm_up=20), events(), _detect),
    "Recommender": lambda: (
        Recommender("user", "item", "time", features=["price"], own_history=True, hidden_size=6, embedding_size=4),
        log(),
        _top,
    ),
    "NextPlace": lambda: (
        NextPlace("user", "item", "time", latitude="lat", longitude="lon", hidden_size=6, embedding_size=4),
        log(),
        _top,
    ),
}


@cache
def tiny(name: str) -> Tiny:
    """A model, fitted once in a process; no test changes it."""
    model, data, ask = MAKERS[name]()
    model.fit(data, **TRAINING)
    asked = data[:5] if isinstance(data, list) else data
    return Tiny(model, asked, ask)


def answers(model: Any, question: Tiny) -> str:
    """What a model says, as text that can be compared."""
    return repr(question.ask(model, question.data))
