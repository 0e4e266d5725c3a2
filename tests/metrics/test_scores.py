"""Every score beside a plain loop that says the same, and the table a reader sees."""

import json
import math
from collections import Counter

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st

from unrolled.metrics.label_scores import (
    classification_scores,
    macro_f1,
    multilabel_scores,
    tagging_scores,
    top_k_accuracy,
)
from unrolled.metrics.number_scores import forecast_scores, frame_scores, language_scores
from unrolled.metrics.scores import IGNORED, UNSEEN, Scores

CLASSES = 4


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def f1_by_counting(truth, guess):
    """Mean F1 over the classes that occur, by counting pairs."""
    scores = []
    for label in sorted({*truth, *guess}):
        hits = sum(t == g == label for t, g in zip(truth, guess, strict=True))
        precision = hits / max(sum(g == label for g in guess), 1)
        recall = hits / max(sum(t == label for t in truth), 1)
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    return sum(scores) / len(scores)


labels = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=30)


@given(labels)
def test_macro_f1_is_the_mean_over_classes_of_counted_f1(pairs):
    truth, guess = (np.array(side) for side in zip(*pairs, strict=True))
    assert macro_f1(truth, guess, CLASSES) == pytest.approx(f1_by_counting(truth.tolist(), guess.tolist()))


@given(st.lists(st.integers(0, CLASSES - 1), min_size=1, max_size=20), st.integers(0, 99))
def test_classification_scores_are_those_of_a_loop(truth, seed):
    shares = rng(seed).dirichlet(np.ones(CLASSES), len(truth))
    got = classification_scores(np.array(truth), shares, {}, CLASSES)
    guess = [max(range(CLASSES), key=lambda label: row[label]) for row in shares]
    assert got.n == len(truth)
    assert got.model["accuracy"] == pytest.approx(sum(map(int.__eq__, truth, guess)) / len(truth))
    assert got.model["macro_f1"] == pytest.approx(f1_by_counting(truth, guess))
    nats = [-math.log(row[label]) for label, row in zip(truth, shares, strict=True)]
    assert got.model["log_loss"] == pytest.approx(sum(nats) / len(nats), rel=1e-4)


def test_rows_without_a_known_label_do_not_count():
    shares = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    got = classification_scores(np.array([0, IGNORED, 1]), shares, {"half": np.full((3, 2), 0.5)}, 2)
    want = classification_scores(np.array([0, 1]), shares[[0, 2]], {"half": np.full((2, 2), 0.5)}, 2)
    assert got == want


@pytest.mark.parametrize(("dtype", "nats"), [(np.float64, 708.396), (np.float32, 87.336)])
def test_a_probability_of_zero_for_the_truth_costs_what_the_smallest_number_of_its_type_costs(dtype, nats):
    got = classification_scores(np.array([0]), np.array([[0, 1]], dtype), {}, 2)
    assert got.model["log_loss"] == pytest.approx(nats, abs=1e-3)


@pytest.mark.parametrize("share", [1e-7, 1e-20, 1e-300])
def test_a_small_probability_costs_its_own_nats(share):
    got = classification_scores(np.array([0]), np.array([[share, 1.0]]), {}, 2).model
    assert got["log_loss"] == pytest.approx(-math.log(share))
    several = multilabel_scores(np.array([[1.0]]), np.array([[share]]), {}, 1).model
    assert several["log_loss"] == pytest.approx(-math.log(share))


@pytest.mark.parametrize(("dtype", "nats"), [(np.float64, 37.43), (np.float32, 17.33)])
def test_being_wrongly_sure_costs_what_a_share_near_one_is_known_to(dtype, nats):
    got = multilabel_scores(np.array([[0.0]]), np.array([[1.0]], dtype), {}, 1).model
    assert got["log_loss"] == pytest.approx(nats, abs=0.01)


@given(st.integers(1, 40), st.integers(2, 14), st.integers(0, 999))
def test_classification_scores_are_those_of_scikit_learn(rows, size, seed):
    truth, shares = rng(seed).integers(0, size, rows), rng(seed + 1).dirichlet(np.ones(size), rows)
    got = classification_scores(truth, shares, {}, size).model
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(truth, shares.argmax(1)))
    assert got["macro_f1"] == pytest.approx(reference.f1_score(truth, shares.argmax(1), average="macro"))
    assert got["log_loss"] == pytest.approx(reference.log_loss(truth, shares, labels=range(size)))
    if "top_5" in got:
        assert got["top_5"] == pytest.approx(reference.top_k_accuracy_score(truth, shares, k=5, labels=range(size)))


@given(st.integers(1, 12), st.integers(0, 999))
def test_multilabel_scores_are_those_of_scikit_learn(rows, seed):
    truth, shares = (rng(seed).random((rows, 3)) < 0.4).astype(int), rng(seed + 1).random((rows, 3))
    got = multilabel_scores(truth, shares, {}, 3).model
    said = (shares > 0.5).astype(int)
    assert got["micro_f1"] == pytest.approx(reference.f1_score(truth, said, average="micro", zero_division=1))
    assert got["exact"] == pytest.approx(reference.accuracy_score(truth, said))
    losses = [reference.log_loss(truth[:, v], shares[:, v], labels=[0, 1]) for v in range(3)]
    assert got["log_loss"] == pytest.approx(np.mean(losses))


@given(st.lists(st.tuples(st.sampled_from("ABCD"), st.sampled_from("ABXYZ")), min_size=1, max_size=30))
def test_tagging_scores_are_those_of_scikit_learn_also_for_labels_that_the_truth_lacks(pairs):
    truth, guess = ([side[:7], side[7:]] for side in map(list, zip(*pairs, strict=True)))
    got = tagging_scores(truth, guess, {}).model
    flat = [[label for row in rows for label in row] for rows in (truth, guess)]
    assert got["macro_f1"] == pytest.approx(reference.f1_score(*flat, average="macro", zero_division=0))
    assert got["accuracy"] == pytest.approx(reference.accuracy_score(*flat))


def test_a_label_that_training_never_saw_counts_as_answered_wrong():
    truth, shares = np.array([0, 1, UNSEEN]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    got = classification_scores(truth, shares, {}, 2, ("1 label unseen",))
    assert got.model["accuracy"] == pytest.approx(2 / 3)
    assert got.model["macro_f1"] == pytest.approx(reference.f1_score([0, 1, 2], [0, 1, 0], average="macro"))
    assert got.model["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.8)) / 2)
    assert got.notes == ("1 label unseen",)
    several = multilabel_scores(np.eye(2), np.eye(2), {}, 2, np.array([0, 2])).model
    assert several["micro_f1"] == pytest.approx(2 * 2 / (2 + 2 + 2))
    assert several["exact"] == 0.5


def test_perfect_answers_score_one_and_zero():
    got = classification_scores(np.arange(CLASSES), np.eye(CLASSES), {}, CLASSES)
    assert got.model == {"accuracy": 1.0, "macro_f1": 1.0, "log_loss": 0.0}


@given(st.integers(1, 20), st.integers(1, 12), st.integers(0, 99))
def test_top_k_accuracy_is_the_share_of_truths_among_the_k_likeliest(rows, k, seed):
    shares, truth = rng(seed).dirichlet(np.ones(12), rows), rng(seed + 1).integers(0, 12, rows)
    named = [sorted(range(12), key=lambda label: -row[label])[:k] for row in shares]
    want = sum(label in row for label, row in zip(truth, named, strict=True)) / rows
    assert top_k_accuracy(truth, shares, k) == pytest.approx(want)
    assert classification_scores(truth, shares, {}, 12).model["top_5"] == top_k_accuracy(truth, shares, 5)


def test_saying_nothing_in_particular_is_not_rewarded_by_top_k():
    assert top_k_accuracy(np.arange(12), np.full((12, 12), 1 / 12), 5) == 0


def test_few_classes_have_no_top_five():
    assert "top_5" not in classification_scores(np.arange(10), np.eye(10), {}, 10).model


@given(st.integers(1, 12), st.integers(0, 99))
def test_multilabel_scores_are_those_of_a_loop(rows, seed):
    truth = rng(seed).random((rows, 3)) < 0.4
    shares = rng(seed + 1).random((rows, 3))
    got = multilabel_scores(truth.astype(float), shares, {}, 3).model
    pairs = [(bool(t), float(p)) for t, p in zip(truth.ravel(), shares.ravel(), strict=True)]
    hits = sum(t and p > 0.5 for t, p in pairs)
    wrong = sum(t != (p > 0.5) for t, p in pairs)
    assert got["micro_f1"] == pytest.approx(2 * hits / (2 * hits + wrong) if hits + wrong else 1.0)
    whole = [all(t == (p > 0.5) for t, p in zip(a, b, strict=True)) for a, b in zip(truth, shares, strict=True)]
    assert got["exact"] == pytest.approx(sum(whole) / rows)
    nats = [-math.log(p if t else 1 - p) for t, p in pairs]
    assert got["log_loss"] == pytest.approx(sum(nats) / len(nats), rel=1e-4)


def test_tagging_scores_count_steps_and_whole_sequences():
    truth = [["D", "N"], ["V"], [], ["N", "N", "V"]]
    guess = [["D", "N"], ["N"], [], ["N", "X", "V"]]
    got = tagging_scores(truth, guess, {"all N": [["N"] * len(row) for row in truth]})
    assert got.n == 6
    assert got.unit == "steps"
    assert got.model["accuracy"] == pytest.approx(4 / 6)
    assert got.model["whole_sequences"] == pytest.approx(1 / 3)  # an empty sequence is no success
    flat = [[label for row in rows for label in row] for rows in (truth, guess)]
    assert got.model["macro_f1"] == pytest.approx(f1_by_counting(*flat))
    assert got.baselines["all N"]["accuracy"] == pytest.approx(3 / 6)


def test_steps_without_a_known_label_do_not_count():
    truth, guess = [["D", None, "N"], [None]], [["D", "N", "V"], ["N"]]
    got = tagging_scores(truth, guess, {"rival": guess})
    want = tagging_scores([["D", "N"], []], [["D", "V"], []], {"rival": [["D", "V"], []]})
    assert got == want
    assert got.n == 2


@given(st.lists(st.floats(0.01, 5), min_size=1, max_size=20), st.integers(1, 50))
def test_language_scores_are_three_ways_to_say_the_same(nats, characters):
    got = language_scores({"model": sum(nats), "rival": 2 * sum(nats)}, len(nats), characters)
    assert got.model["nats_per_token"] == pytest.approx(sum(nats) / len(nats))
    assert got.model["perplexity"] == pytest.approx(math.prod(math.exp(n) for n in nats) ** (1 / len(nats)))
    assert got.model["bits_per_character"] * characters == pytest.approx(sum(n / math.log(2) for n in nats))
    assert got.wins


def test_a_hopeless_perplexity_is_a_number():
    assert math.isfinite(language_scores({"model": 1e9}, 1, 1).model["perplexity"])


def test_binary_frames_cost_the_nats_of_their_keys():
    truth = [np.array([[1.0, 0.0], [1.0, 1.0]]), np.zeros((0, 2)), np.array([[0.0, 0.0]])]
    shares = [np.array([[0.9, 0.2], [0.6, 0.4]]), np.zeros((0, 2)), np.array([[0.1, 0.7]])]
    got = frame_scores(truth, shares, {}, binary=True)
    nats = -sum(map(math.log, (0.9, 0.8, 0.6, 0.4, 0.9, 0.3)))
    assert got.n == 3
    assert got.model["nats_per_frame"] == pytest.approx(nats / 3)
    assert got.model["key_f1"] == pytest.approx(2 * 2 / (3 + 3))  # on 3, said 3, both 2


def test_frames_of_numbers_are_measured_by_their_errors_without_missing_ones():
    truth = [np.array([[1.0, np.nan], [3.0, 4.0]])]
    got = frame_scores(truth, [np.array([[0.0, 7.0], [3.0, 6.0]])], {}, binary=False)
    assert got.model == {"mse": pytest.approx((1 + 0 + 4) / 3), "mae": pytest.approx(1.0)}


def forecasts(seed: int):
    truth = rng(seed).normal(5, 2, (4, 3))
    truth[rng(seed + 1).random((4, 3)) < 0.2] = np.nan
    truth[0, 0] = 1.5
    return truth, truth + 0, rng(seed + 2).normal(5, 2, (4, 3)), rng(seed + 3).uniform(0.5, 2, 4)


@given(st.integers(0, 99))
def test_forecast_scores_are_those_of_a_loop(seed):
    truth, _, guess, scale = forecasts(seed)
    naive = np.full_like(truth, 4.0)
    got = forecast_scores(truth, guess, {"naive": naive}, scale, reference="naive")
    cells = [(r, c) for r in range(4) for c in range(3) if not math.isnan(truth[r, c])]
    errors = {cell: abs(truth[cell] - guess[cell]) for cell in cells}
    mae = sum(errors.values()) / len(cells)
    assert got.n == len(cells)
    assert got.model["mae"] == pytest.approx(mae)
    assert got.model["mase"] == pytest.approx(sum(e / scale[r] for (r, _), e in errors.items()) / len(cells))
    assert got.model["rmse"] == pytest.approx(math.sqrt(sum(e * e for e in errors.values()) / len(cells)))
    shares = [2 * errors[cell] / (abs(truth[cell]) + abs(guess[cell])) for cell in cells]
    assert got.model["smape"] == pytest.approx(100 * sum(shares) / len(cells))
    reference = sum(abs(truth[cell] - 4.0) for cell in cells) / len(cells)
    assert got.model["skill"] == pytest.approx(1 - mae / reference)
    assert got.baselines["naive"]["skill"] == 0


def test_quantiles_are_scored_by_pinball_loss_and_coverage():
    truth = np.array([[1.0, np.nan], [4.0, 2.0]])
    levels = [0.1, 0.5, 0.9]
    quantiles = np.array([[[0.0, 1.0, 2.0]] * 2, [[0.0, 1.0, 2.0]] * 2])
    got = forecast_scores(truth, quantiles[:, :, 1], {}, np.ones(2), (levels, quantiles)).model
    losses = []
    for value in (1.0, 4.0, 2.0):
        for level, quantile in zip(levels, (0.0, 1.0, 2.0), strict=True):
            error = value - quantile
            losses.append(level * error if error > 0 else (level - 1) * error)
    assert got["pinball"] == pytest.approx(sum(losses) / len(losses))
    assert got["coverage_80%"] == pytest.approx(2 / 3)


def test_quantiles_of_baselines_are_scored_as_those_of_the_model():
    truth, _, guess, scale = forecasts(3)
    quantiles = guess[:, :, None] + np.array([-1.0, 0.0, 1.0])
    levels = [0.1, 0.5, 0.9]
    got = forecast_scores(
        truth, guess, {"a": guess, "b": guess + 9}, scale, (levels, quantiles), rival_quantiles={"a": quantiles}
    )
    assert got.baselines["a"] == got.model
    assert "pinball" not in got.baselines["b"]


@given(st.integers(0, 999))
def test_forecast_errors_are_those_of_scikit_learn(seed):
    truth, guess = rng(seed).normal(size=(5, 3)), rng(seed + 1).normal(size=(5, 3))
    quantiles = np.sort(rng(seed + 2).normal(size=(5, 3, 3)), 2)
    levels = [0.1, 0.5, 0.9]
    got = forecast_scores(truth, guess, {}, np.ones(5), (levels, quantiles)).model
    assert got["mae"] == pytest.approx(reference.mean_absolute_error(truth.ravel(), guess.ravel()))
    assert got["rmse"] == pytest.approx(reference.root_mean_squared_error(truth.ravel(), guess.ravel()))
    losses = [
        reference.mean_pinball_loss(truth.ravel(), quantiles[:, :, q].ravel(), alpha=level)
        for q, level in enumerate(levels)
    ]
    assert got["pinball"] == pytest.approx(np.mean(losses))


def test_forecasts_without_a_unit_are_left_out_of_mase_and_a_note_says_so():
    truth, guess = np.array([[2.0], [4.0]]), np.array([[1.0], [9.0]])
    got = forecast_scores(truth, guess, {}, np.array([0.5, np.nan]))
    assert got.model["mase"] == 2.0
    assert got.notes == ("1 of 2 forecasts have no MASE: the series is constant before them.",)
    none = forecast_scores(truth, guess, {"naive": truth}, np.full(2, np.nan))
    assert (none.leading, none.wins) == ("mae", False)


def test_smape_of_zero_by_zero_is_no_error():
    got = forecast_scores(np.zeros((1, 2)), np.zeros((1, 2)), {}, np.ones(1)).model
    assert got["smape"] == 0


# ---- the table -----------------------------------------------------------------------------------


def scores(model: float, higher: bool = True, **rivals: float) -> Scores:
    return Scores(
        1200, "sequences", {"accuracy": model}, {n: {"accuracy": v} for n, v in rivals.items()}, "accuracy", higher
    )


def test_the_verdict_says_who_is_better_and_by_how_much():
    assert scores(0.9, majority=0.5, bag=0.8).verdict == "The model beats the best baseline (bag) by 0.1000 accuracy."
    assert "loses to a simple baseline: bag is better by 0.2000" in scores(0.6, majority=0.5, bag=0.8).verdict
    assert "equals" in scores(0.8, majority=0.5, bag=0.8).verdict
    assert scores(0.9).verdict == "No baseline was run."


def test_for_losses_lower_is_better():
    assert scores(0.3, False, a=0.4, b=0.9).best_baseline == "a"
    assert scores(0.3, False, a=0.4).wins
    assert "loses" in scores(0.5, False, a=0.4, b=0.9).verdict


def test_without_baselines_there_is_no_win_and_no_difference():
    assert not scores(0.9).wins
    assert math.isnan(scores(0.9).difference)
    assert scores(0.9).best_baseline is None


def test_the_table_is_aligned_and_ends_with_the_verdict():
    table = Scores(
        1200,
        "sequences",
        {"accuracy": 0.9, "macro_f1": 0.8912345},
        {"a much longer name of a baseline": {"accuracy": 0.5, "macro_f1": 11.25}, "b": {"accuracy": 0.1}},
        "accuracy",
        True,
    )
    *rows, last = str(table).splitlines()
    assert last == f"1,200 sequences scored. {table.verdict}"
    assert len(rows) == 4
    assert Counter(map(len, rows)) == {len(rows[0]): 4}
    assert rows[0].split() == ["accuracy", "macro_f1"]
    assert rows[1].split() == ["this", "model", "0.9000", "0.8912"]
    assert rows[3].split() == ["b", "0.1000", "-"]


def test_scores_survive_json():
    whole = scores(0.9, majority=0.5)
    assert Scores.from_json(json.loads(json.dumps(whole.to_json()))) == whole


def test_a_metric_that_is_no_number_is_left_out_of_what_is_read_back():
    broken = Scores(0, "steps", {"accuracy": float("nan"), "other": 1.0}, {}, "accuracy", True)
    written = json.dumps(broken.to_json(), allow_nan=False)
    assert Scores.from_json(json.loads(written)).model == {"other": 1.0}


def test_nothing_to_score_is_not_an_error():
    got = classification_scores(np.zeros(0, dtype=int), np.zeros((0, 2)), {"none": np.zeros((0, 2))}, 2)
    assert got.n == 0
    assert math.isnan(got.model["accuracy"])
    assert not got.wins
    reread = Scores.from_json(json.loads(json.dumps(got.to_json())))
    assert "0 sequences scored" in str(reread)


def test_a_model_without_the_leading_metric_beats_nobody():
    broken = Scores(1, "steps", {}, {"majority": {"accuracy": 0.1}}, "accuracy", True)
    assert not broken.wins
    assert "loses" in str(broken)


@pytest.mark.parametrize("higher", [True, False])
def test_a_baseline_that_failed_is_not_the_best_one(higher):
    table = scores(0.5, higher, broken=float("nan"), endless=float("inf"), sound=0.4)
    assert table.best_baseline == "sound"
    assert table.wins == higher


def test_a_model_that_failed_loses_in_words():
    table = scores(float("nan"), majority=0.1)
    assert not table.wins
    assert "loses" in table.verdict
    assert "nan" not in table.verdict
