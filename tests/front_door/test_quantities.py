"""Numbers of which nearly every one is different are a quantity: no class is made of each; labels stay labels."""

import numpy as np
import pytest

import unrolled as ur
from unrolled.codecs.tables.labels import Labels
from unrolled.errors import DataError

DRAW = np.random.default_rng(0)
QUIET = {"epochs": 1, "progress": False, "baselines": False}
QUANTITIES = {
    "shares": DRAW.uniform(0, 1, 80).tolist(),
    "few": DRAW.normal(0, 1, 12).tolist(),
    "hundredths": DRAW.uniform(0, 1, 200).round(2).tolist(),
    "acidity": DRAW.uniform(4, 9, 60).round(1).tolist(),
    "prices": DRAW.integers(10_000, 90_000, 60).astype(float).tolist(),
    "numbers of rows": list(range(1000, 1080)),
    "text": [f"{value:.3f}" for value in DRAW.uniform(0, 1, 60)],
    "float32": list(DRAW.uniform(0, 1, 50).astype(np.float32)),
    "text with whole ones": ["0", "1", *(f"{value:.4f}" for value in DRAW.uniform(0, 1, 60))],
    "negative": (-DRAW.gamma(1, 3, 40)).tolist(),
    "large": (10 ** DRAW.uniform(0, 12, 40)).tolist(),
}
LABELS = {
    "half stars": (DRAW.integers(1, 11, 80) / 2).tolist(),
    "two fractions": [0.5, 1.5] * 20,
    "a hundred classes": DRAW.integers(0, 100, 400).tolist(),
    "ages": DRAW.integers(18, 90, 60).tolist(),
    "digits as floats": DRAW.integers(0, 10, 50).astype(float).tolist(),
    "codes": [f"{row:03d}" for row in range(60)],
    "names": [f"n{row}" for row in range(60)],
    "whole text": [str(row) for row in range(60)],
    "truth": [True, False] * 20,
    "few rows": [1, 2, 3, 4] * 2,
}


def records(values):
    draw = np.random.default_rng(1)
    return [{"v": draw.normal(0, 1, 6).tolist(), "y": value} for value in values]


@pytest.mark.parametrize("kind", QUANTITIES)
def test_a_quantity_is_refused_with_a_way_out(kind):
    with pytest.raises(DataError, match=r"column 'y': .*different numbers.*a quantity; .*bins.*Forecaster"):
        ur.Classifier("v", "y", hidden_size=4).fit(records(QUANTITIES[kind]), **QUIET)


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_learnt(kind):
    model = ur.Classifier("v", "y", hidden_size=4).fit(records(LABELS[kind]), validation=0, **QUIET)
    assert len(model.classes_) == len(set(LABELS[kind]))


def test_validation_data_of_ones_own_and_a_codec_change_nothing():
    rows = records(QUANTITIES["shares"])
    with pytest.raises(DataError, match="a quantity"):
        ur.Classifier("v", Labels("y"), hidden_size=4).fit(rows[:60], validation_data=rows[60:], **QUIET)


def test_quantities_of_steps_are_refused_and_labels_of_steps_learnt():
    draw = np.random.default_rng(2)
    numbers = [{"words": ["a"] * 8, "tags": draw.normal(0, 1, 8).tolist()} for _ in range(10)]
    labels = [{"words": ["a"] * 8, "tags": draw.integers(0, 5, 8).tolist()} for _ in range(10)]
    with pytest.raises(DataError, match=r"column 'tags': .*a quantity"):
        ur.Tagger(hidden_size=4).fit(numbers, **QUIET)
    assert len(ur.Tagger(hidden_size=4).fit(labels, **QUIET).classes_) == 5
