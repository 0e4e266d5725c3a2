"""Small fitted models that read a column of media, for each task that can have one."""

import functools
from typing import Any

import numpy as np

import unrolled as ur

ROWS = 16
OPTIONS = {"epochs": 1, "baselines": False, "validation": 0.0, "batch_size": 8}
SQUARE = np.full((4, 4), 9, dtype=np.uint8).tolist()
FILM = [SQUARE, SQUARE]
SOUND = [0.1] * 800
MEDIUM = "img"  # the column of media

PICTURES = ur.Pictures(MEDIUM, size=4, channels=1)
FILMS = ur.Video(MEDIUM, size=4, channels=1)
SOUNDS = ur.Audio(MEDIUM, sample_rate=8000, num_mels=8, stack=1)


def _varied(value: Any, row: int) -> Any:
    return (np.asarray(value) + row % 2).tolist()


def _records(medium: Any, **columns: list[Any]) -> list[dict[str, Any]]:
    return [
        {MEDIUM: _varied(medium, row), **{name: values[row % len(values)] for name, values in columns.items()}}
        for row in range(ROWS)
    ]


def _classifier(inputs: list[Any], medium: Any, **options: Any) -> Any:
    data = _records(medium, text=["a good one", "a bad one"], label=["yes", "no"])
    return ur.Classifier(inputs, "label", hidden_size=4, **options).fit(data, **OPTIONS)


def _tagger(inputs: list[Any], medium: Any, steps: int, **options: Any) -> Any:
    data = _records(medium, words=[["a", "b"], ["b", "a"]], tags=[["x", "y"] * (steps // 2), ["y", "x"] * (steps // 2)])
    return ur.Tagger(inputs=inputs, hidden_size=4, **options).fit(data, **OPTIONS)


MAKERS = {
    "Classifier of words and pictures": lambda: _classifier(
        [ur.Words("text"), PICTURES], SQUARE, bidirectional=False, pooling="last"
    ),
    "Classifier of films": lambda: _classifier([FILMS], FILM),
    "Classifier of recordings": lambda: _classifier([SOUNDS], SOUND),
    "Tagger of words and pictures": lambda: _tagger([ur.Words("words"), PICTURES], SQUARE, 2, bidirectional=False),
    "Tagger of films": lambda: _tagger([FILMS], FILM, 2),
    "Tagger of recordings": lambda: _tagger([SOUNDS], SOUND, 8),
    "LanguageModel given pictures": lambda: ur.LanguageModel(hidden_size=4, given=[PICTURES]).fit(
        _records(SQUARE, text=["abab", "baba"]), **OPTIONS
    ),
    "Captioner": lambda: ur.Captioner(PICTURES, hidden_size=4).fit(
        _records(SQUARE, caption=["a dark one", "a bright one"]), **OPTIONS
    ),
    "Classifier of words and pictures, both ways, with a rival": lambda: ur.Classifier(
        [ur.Words("text"), PICTURES], "label", hidden_size=4, dropout=0.0
    ).fit(_records(SQUARE, text=["a good one", "a bad one"], label=["yes", "no"]), rival=True, **OPTIONS),
}
MEDIA = {name: FILM if "films" in name else SOUND if "recordings" in name else SQUARE for name in MAKERS}


@functools.cache
def fitted(name: str) -> Any:
    """One of the models, fitted once."""
    return MAKERS[name]()


def record(name: str, value: Any) -> dict[str, Any]:
    """A record for one of them, with this in its column of media."""
    given = {MEDIUM: value}
    if "words" in name:
        given |= {"words": ["a", "b"]} if "Tagger" in name else {"text": "a good one"}
    return given | ({"text": "ab"} if "LanguageModel" in name else {})
