"""What holds for every metric of the product: numbers are asked for, nothing is nothing, and a reference is named.

A metric that is added to one of `ROOMS` has to be added here too: the first test compares the lists.
"""

import inspect
import math
from collections import Counter
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from unrolled.errors import DataError
from unrolled.metrics.anomalies.nab import ScoredFile, nab_score, nab_scores
from unrolled.metrics.anomalies.ranges import range_scores
from unrolled.metrics.anomalies.vus import vus
from unrolled.metrics.anomalies.vus_paper import range_auc, vus_paper
from unrolled.metrics.confusion import confusion
from unrolled.metrics.label_scores import classification_scores, multilabel_scores, tagging_scores, top_k_accuracy
from unrolled.metrics.number_scores import density_scores, forecast_scores, frame_scores, language_scores
from unrolled.metrics.ranking import Ranked, place_scores, ranking_scores
from unrolled.metrics.texts.cider import CiderD
from unrolled.metrics.texts.coco_bleu import coco_bleu
from unrolled.metrics.texts.text_scores import caption_scores, sentence_scores, text_scores
from unrolled.tasks.detection.evaluation import detection_scores

ROOMS = [
    "metrics.label_scores",
    "metrics.number_scores",
    "metrics.ranking",
    "metrics.confusion",
    "metrics.anomalies.nab",
    "metrics.anomalies.ranges",
    "metrics.anomalies.vus",
    "metrics.anomalies.vus_paper",
    "metrics.texts.cider",
    "metrics.texts.coco_bleu",
    "metrics.texts.edits",
    "metrics.texts.libraries",
    "metrics.texts.text_scores",
    "tasks.detection.evaluation",
]
HELPERS = {  # public functions that are no metrics
    "unseen_notes", "one_line", "probation_rows", "window_rows", "scaled_sigmoid", "row_worth", "ranges_of",
    "faded_rows", "faded", "edits_of", "chosen_tokenizer", "needed", "sentence_bleu_chrf", "rouge", "truth_of",
}  # fmt: skip
ALONE = {"macro_f1", "edit_distance", "range_scores", "binary_nats"}  # of indices, items, marks: nothing to be NaN
TEXTS = {"coco_bleu", "text_scores", "caption_scores", "sentence_scores"}

HALF = np.array([0.5, 0.5])


def shares(value: float) -> np.ndarray:
    return np.array([HALF, [value, 0.5]])


def column(value: float) -> np.ndarray:
    return np.array([[1.0], [value]])


def ranks(value: float) -> Ranked:
    return Ranked(np.array([1.0, value]), np.array([[0], [1]]))


def frames(answer: Any, rivals: Any, binary: bool) -> Any:
    return frame_scores([column(1.0)], [answer], {name: [one] for name, one in rivals.items()}, binary)


def detection(answer: np.ndarray, rivals: Any) -> Any:
    answers = {"": [answer], **{name: [one] for name, one in rivals.items()}}
    return detection_scores([np.array([0, 1, 0], bool)], answers, dict.fromkeys(answers, 0.5), 1, True)


# how a metric is asked, and what it is asked with where its second answer is a given number
ASKED: dict[str, tuple[Any, Any]] = {
    "classification_scores": (lambda a, r: classification_scores(np.array([0, 0]), a, r, 2), shares),
    "multilabel_scores": (lambda a, r: multilabel_scores(np.eye(2), a, r, 2), shares),
    "language_scores": (lambda a, r: language_scores({"model": a, **r}, 2, 4), lambda value: value),
    "frame_scores": (lambda a, r: frames(a, r, False), column),
    "frame_scores of keys": (lambda a, r: frames(a, r, True), column),
    "density_scores": (
        lambda a, r: density_scores([column(1.0)], {"": ([a], [column(1.0)])} | {n: ([v], [v]) for n, v in r.items()}),
        column,
    ),
    "density_scores of means": (
        lambda a, r: density_scores([column(1.0)], {"": ([HALF], [a])} | {n: ([HALF], [v]) for n, v in r.items()}),
        column,
    ),
    "forecast_scores": (lambda a, r: forecast_scores(column(2.0), a, r, np.ones(2)), column),
    "forecast_scores of quantiles": (
        lambda a, r: forecast_scores(
            column(2.0), column(2.0), dict.fromkeys(r, column(2.0)), np.ones(2), ([0.5], a[:, :, None]),
            rival_quantiles={name: one[:, :, None] for name, one in r.items()},
        ),
        column,
    ),
    "ranking_scores": (lambda a, r: ranking_scores(a, r, np.ones(2)), ranks),
    "place_scores": (lambda a, r: place_scores(a, r, np.array([0, 1]), None), ranks),
}  # fmt: skip
ASKED_ALONE: dict[str, Any] = {
    "top_k_accuracy": lambda value: top_k_accuracy(np.array([0, 0]), shares(value), 1),
    "confusion": lambda value: confusion([0, 1], np.array([0.0, value]), ["a", "b"]),
    "nab_score": lambda value: nab_score([ScoredFile(np.array([0.0, value, 0.0]), [(1, 1)], 0)]),
    "nab_scores": lambda value: nab_scores([ScoredFile(np.array([0.0, value, 0.0]), [(1, 1)], 0)]),
    "vus": lambda value: vus([0.0, value, 0.0], [0, 1, 0], 2),
    "vus_paper": lambda value: vus_paper([0.0, value, 0.0], [0, 1, 0], 2),
    "range_auc": lambda value: range_auc([0.0, value, 0.0], [0, 1, 0], 2),
}
NOTHING = np.zeros((0, 2))
EMPTY: dict[str, Any] = {
    "classification_scores": lambda: classification_scores(np.zeros(0, int), NOTHING, {"b": NOTHING}, 2),
    "multilabel_scores": lambda: multilabel_scores(NOTHING, NOTHING, {"b": NOTHING}, 2),
    "tagging_scores": lambda: tagging_scores([], [], {"b": []}),
    "language_scores": lambda: language_scores({"model": 0.0, "b": 0.0}, 0, 0),
    "frame_scores": lambda: frame_scores([], [], {"b": []}, False),
    "frame_scores of keys": lambda: frame_scores([], [], {"b": []}, True),
    "density_scores": lambda: density_scores([], {"": ([], []), "b": ([], [])}),
    "forecast_scores": lambda: forecast_scores(NOTHING, NOTHING, {"b": NOTHING}, np.zeros(0)),
    "ranking_scores": lambda: ranking_scores(Ranked(np.zeros(0), np.zeros((0, 10), int)), {}, np.ones(2)),
    "place_scores": lambda: place_scores(Ranked(np.zeros(0), np.zeros((0, 10), int)), {}, np.zeros(0, int), None),
    "text_scores": lambda: text_scores([], [], {"b": []}),
    "caption_scores": lambda: caption_scores([], [], {"b": []}),
}
REFUSED_EMPTY: dict[str, Any] = {
    "vus": lambda: vus([], [], 2),
    "vus_paper": lambda: vus_paper([], [], 2),
    "range_auc": lambda: range_auc([], []),
    "nab_score": lambda: nab_score([]),
    "detection_scores": lambda: detection_scores([], {"": []}, {"": 0.5}, 1, False),
}


def metrics() -> dict[str, Any]:
    found = {}
    for room in ROOMS:
        module = import_module(f"unrolled.{room}")
        own = inspect.getmembers(module, lambda one: inspect.isfunction(one) or one is CiderD)
        found |= {name: one for name, one in own if one.__module__ == module.__name__ and not name.startswith("_")}
    return {name: one for name, one in found.items() if name not in HELPERS}


def test_every_metric_is_under_the_laws():
    known = {name.split(" of ")[0] for name in (*ASKED, *ASKED_ALONE)} | ALONE | TEXTS
    assert set(metrics()) == known | {"tagging_scores", "detection_scores", "CiderD"}


@pytest.mark.parametrize("name", sorted(metrics()))
def test_every_metric_names_the_program_or_the_paper_whose_number_it_is(name):
    words = inspect.getdoc(metrics()[name]) or ""
    assert any(word in words for word in ("Reference program", "Source")), f"{name} names no reference"


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ASKED)
def test_an_answer_that_is_no_number_is_refused_with_its_owner_and_place(name, odd):
    ask, make = ASKED[name]
    assert ask(make(1.0), {"copy": make(1.0)}).model
    with pytest.raises(DataError, match=rf"of this model: expected numbers, received {odd}"):
        ask(make(odd), {"copy": make(1.0)})
    with pytest.raises(DataError, match=rf"of copy: expected numbers, received {odd}"):
        ask(make(1.0), {"copy": make(odd)})


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ASKED_ALONE)
def test_a_score_that_is_no_number_is_refused_with_its_row(name, odd):
    ASKED_ALONE[name](1.0)
    with pytest.raises(DataError, match=rf"{odd} in row 1"):
        ASKED_ALONE[name](odd)


@pytest.mark.parametrize("odd", [np.inf, -np.inf])
def test_a_detector_may_be_silent_and_may_not_be_infinite(odd):
    quiet, loud = np.array([0.0, np.nan, 1.0]), np.array([0.0, odd, 1.0])
    assert detection(quiet, {"copy": quiet}).model == detection(np.array([0.0, 0.0, 1.0]), {}).model
    for answer, rival in ((loud, quiet), (quiet, loud)):
        with pytest.raises(DataError, match="row 1"):
            detection(answer, {"copy": rival})


def test_an_answer_counts_only_where_the_truth_is_known():
    got = forecast_scores(column(np.nan), column(np.nan), {}, np.ones(2)).model
    assert got["mae"] == 0
    assert classification_scores(np.array([0, -100]), shares(np.nan), {}, 2).n == 1


@pytest.mark.parametrize("name", EMPTY)
def test_where_nothing_is_scored_every_metric_is_nan(name):
    got = EMPTY[name]()
    assert got.n == 0
    rows = [got.model, *got.baselines.values()]
    assert all(math.isnan(value) for row in rows for value in row.values()), rows
    assert not got.wins


@pytest.mark.parametrize("name", REFUSED_EMPTY)
def test_curves_without_a_labelled_row_are_refused(name):
    with pytest.raises(DataError):
        REFUSED_EMPTY[name]()


def test_texts_of_none_have_no_score():
    assert math.isnan(coco_bleu([], []))
    assert all(len(values) == 0 for values in sentence_scores([], []).values())
    assert range_scores([], []) == (0, 0)
    assert Counter(EMPTY)  # each of them is a table
