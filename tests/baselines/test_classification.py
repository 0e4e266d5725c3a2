"""What each classifying baseline can see, and what it cannot."""

import numpy as np
import pytest

from unrolled.baselines.classification import (
    BagOfWords,
    CharacterNGrams,
    EveryColumn,
    FixedWindow,
    LinearBaseline,
    Majority,
    PositionalNaiveBayes,
    SummaryStatistics,
)
from unrolled.baselines.mean_frame import MeanFrame
from unrolled.baselines.registry import BASELINES, baseline_from_state, classification_baselines

ONE = "David is good at math but bad in science"
OTHER = "David is bad at math but good in science"


def accuracy(baseline, inputs, labels):
    return float((baseline.predict(inputs).argmax(1) == labels).mean())


def orders(count=60):
    """Texts of the same words in two orders."""
    names = [f"Pupil{number % 7}" for number in range(count)]
    texts = [{"x": (ONE if number % 2 else OTHER).replace("David", name)} for number, name in enumerate(names)]
    return texts, [number % 2 for number in range(count)]


def test_a_bag_of_words_is_blind_to_order():
    texts, labels = orders()
    baseline = BagOfWords(2).fit(texts, labels)
    one, other = baseline.predict([{"x": ONE}, {"x": OTHER}])
    np.testing.assert_allclose(one, other)
    assert accuracy(baseline, texts, labels) < 0.7


def test_character_ngrams_see_local_order():
    texts, labels = orders()
    baseline = CharacterNGrams(2).fit(texts, labels)
    one, other = baseline.predict([{"x": ONE}, {"x": OTHER}])
    assert abs(one[0] - other[0]) > 0.05
    assert accuracy(baseline, texts, labels) == 1


def test_a_bag_of_words_learns_words_in_any_case_and_place():
    texts = [{"x": "what a GOOD film"}, {"x": "bad, bad film"}] * 10
    baseline = BagOfWords(2).fit(texts, [1, 0] * 10)
    assert baseline.predict([{"x": "film was good"}, {"x": "so Bad"}]).argmax(1).tolist() == [1, 0]


def test_the_same_word_in_another_column_is_another_feature():
    rows = [{"title": "up", "body": "down"}, {"title": "down", "body": "up"}] * 10
    assert accuracy(BagOfWords(2).fit(rows, [0, 1] * 10), rows, np.array([0, 1] * 10)) == 1


def test_lists_of_tokens_and_categories_are_words_too():
    rows = [{"events": ["login", "buy"], "plan": 1}, {"events": ["login", "leave"], "plan": 1}] * 10
    assert accuracy(BagOfWords(2).fit(rows, [0, 1] * 10), rows, np.array([0, 1] * 10)) == 1


def test_majority_says_the_shares_of_training():
    shares = Majority(3).fit([{}] * 4, [2, 2, 0, 2]).predict([{"x": 1}])
    np.testing.assert_allclose(shares, [[0.25, 0, 0.75]], atol=1e-3)


def test_balanced_regression_does_not_neglect_the_rare_class():
    texts = [{"x": "noise"}] * 90 + [{"x": "noise"}] * 10
    labels = [0] * 90 + [1] * 10
    plain, balanced = (BagOfWords(2, balanced=b).fit(texts, labels).predict(texts[:1])[0, 1] for b in (False, True))
    assert plain == pytest.approx(0.1, abs=0.02)
    assert balanced == pytest.approx(0.5, abs=0.02)


def test_naive_bayes_reads_positions():
    rows = [{"x": "ACGT"}, {"x": "TGCA"}] * 20  # the same letters
    labels = np.array([0, 1] * 20)
    assert accuracy(PositionalNaiveBayes(2).fit(rows, labels), rows, labels) == 1
    assert accuracy(BagOfWords(2).fit([{"x": " ".join(sorted(r["x"]))} for r in rows], labels), rows, labels) == 0.5


def test_a_fixed_window_sees_places_and_summary_statistics_see_shape():
    up = [{"x": [0.0, 1, 2, 3]}, {"x": [3.0, 2, 1, 0]}] * 20
    labels = np.array([0, 1] * 20)
    assert accuracy(FixedWindow(2).fit(up, labels), up, labels) == 1
    noisy = [{"x": (np.random.default_rng(n).normal(size=n % 9 + 8) * (1 + 4 * (n % 2))).tolist()} for n in range(40)]
    assert accuracy(SummaryStatistics(2).fit(noisy, labels), noisy, labels) >= 0.95


def test_missing_numbers_do_not_spread():
    rows = [{"x": [0.0, None, 0.0]}, {"x": [5.0, 5.0, None]}] * 10
    for kind in (FixedWindow, SummaryStatistics):
        shares = kind(2).fit(rows, [0, 1] * 10).predict([*rows[:2], {"x": [None]}])
        assert np.isfinite(shares).all()
        assert shares[:2].argmax(1).tolist() == [0, 1]


def test_all_channels_count():
    rows = [{"x_0": [1.0, 2.0], "x_1": [0.0, 0.0]}, {"x_0": [1.0, 2.0], "x_1": [9.0, 9.0]}] * 10
    for kind in (FixedWindow, SummaryStatistics):
        assert accuracy(kind(2).fit(rows, [0, 1] * 10), rows, np.array([0, 1] * 10)) == 1


def test_every_column_needs_both_words_and_numbers_where_the_label_does():
    draw = np.random.default_rng(0)
    words, signs = draw.integers(0, 2, 80), draw.integers(0, 2, 80)
    labels = 2 * words + signs
    rows = [
        {"x": f"so {['bad', 'good'][word]}", "y": [float(sign), 1.0 * sign, 0.5]}
        for word, sign in zip(words, signs, strict=True)
    ]
    assert accuracy(EveryColumn(4).fit(rows, labels), rows, labels) == 1
    for blind in (BagOfWords, SummaryStatistics):
        assert accuracy(blind(4).fit(rows, labels), rows, labels) < 0.75


def test_a_lone_number_beside_a_text_counts():
    rows = [{"x": "same words", "age": float(number % 2)} for number in range(40)]
    labels = np.arange(40) % 2
    assert "every_column" in classification_baselines(rows, 2)
    assert accuracy(EveryColumn(2).fit(rows, labels), rows, labels) == 1


def test_arrays_are_read_as_lists_are():
    numbers = [[0.0, np.nan, 2.0], [5.0, 5.0, 4.0]] * 10
    lists, arrays = [{"x": row} for row in numbers], [{"x": np.array(row)} for row in numbers]
    for kind in (FixedWindow, SummaryStatistics):
        one, other = (kind(2).fit(rows, [0, 1] * 10).predict(rows) for rows in (lists, arrays))
        np.testing.assert_array_equal(one, other)
    words = [["a", "b"], ["a", "c"]] * 10
    lists, arrays = [{"x": row} for row in words], [{"x": np.array(row)} for row in words]
    one, other = (BagOfWords(2).fit(rows, [0, 1] * 10).predict(rows) for rows in (lists, arrays))
    np.testing.assert_array_equal(one, other)
    assert accuracy(BagOfWords(2).fit(arrays, [0, 1] * 10), arrays, np.array([0, 1] * 10)) == 1


def test_naive_bayes_is_the_product_of_its_counts():
    rows = [{"x": text} for text in ("AC", "AG", "TC")]
    shares = PositionalNaiveBayes(2).fit(rows, [0, 0, 1]).predict([{"x": "TC"}])[0]
    six = 6  # the letters and both end marks; each counts once more than it was seen
    ends = [((2 + 1) / (2 + six)) ** 2, ((1 + 1) / (1 + six)) ** 2]
    want = [2 * ends[0] * (1 / (2 + six)) * (2 / (2 + six)), 1 * ends[1] * (2 / (1 + six)) * (2 / (1 + six))]
    assert shares[0] / shares[1] == pytest.approx(want[0] / want[1], rel=1e-3)


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        ([{"x": "two words"}, {"x": "three whole words"}], {"majority", "bag_of_words", "character_ngrams"}),
        ([{"x": "anna"}, {"x": "bob"}], {"majority", "character_ngrams"}),
        ([{"x": "ACGT"}, {"x": "AAGT"}], {"majority", "character_ngrams", "positional_naive_bayes"}),
        ([{"x": [1.0, 2.0]}, {"x": [3.0]}], {"majority", "fixed_window", "summary_statistics"}),
        ([{"x": ["a", "b"]}, {"x": ["c"]}], {"majority", "bag_of_words"}),
        ([{"x": "A" * 2000}, {"x": "C" * 2000}], {"majority", "character_ngrams"}),
        (
            [{"x": [1.0], "y": ["a"]}, {"x": [3.0], "y": ["b"]}],
            {"majority", "bag_of_words", "fixed_window", "summary_statistics", "every_column"},
        ),
    ],
)
def test_which_baselines_stand_beside_a_classifier_depends_on_the_data(rows, want):
    assert set(classification_baselines(rows, 2)) == want


def films(count=60, seed=0):
    """A bright row of pixels falls or rises."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    steps = [np.roll(np.eye(24, dtype=np.uint8), rng.integers(24), 0)[:, :, None] for _ in labels]
    rows = [step if label else step[::-1] for step, label in zip(steps, labels, strict=True)]
    return [{"x": np.broadcast_to(row * 200, (24, 24, 24))[:, None]} for row in rows], labels


def test_the_mean_frame_is_blind_to_the_order_of_frames_and_sees_what_is_in_them():
    inputs, labels = films()
    baseline = MeanFrame(2).fit(inputs, labels.tolist())
    backwards = [{"x": example["x"][::-1]} for example in inputs]
    np.testing.assert_allclose(baseline.predict(inputs), baseline.predict(backwards), rtol=1e-5)
    lit = [
        {"x": np.where(label, example["x"], example["x"] // 2)} for example, label in zip(inputs, labels, strict=True)
    ]
    assert accuracy(MeanFrame(2).fit(lit, labels.tolist()), lit, labels) == 1


def test_a_frame_is_shrunk_by_the_mean_of_its_blocks():
    frame = np.arange(20.0 * 20).reshape(20, 20)
    baseline = MeanFrame(2)
    baseline._learn([{"x": frame.astype(np.uint8)[None, None]}])
    whole = frame.astype(np.uint8).astype(float)
    expected = [
        whole[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean() for row in range(10) for column in range(10)
    ]
    np.testing.assert_allclose(baseline.mean_, expected)


def test_films_get_the_mean_frame_and_no_other_baseline():
    inputs, _ = films(8)
    assert list(classification_baselines(inputs, 2)) == ["majority", "mean_frame"]
    assert "summary_statistics" in classification_baselines([{**row, "age": 1.5} for row in inputs], 2)


LINEAR = [kind for kind in BASELINES.values() if issubclass(kind, LinearBaseline)]


@pytest.mark.parametrize("kind", LINEAR, ids=lambda kind: kind.key)
def test_what_a_saved_linear_baseline_learnt_fits_its_weights_or_is_refused(kind):
    film = np.zeros((2, 1, 4, 4), dtype=np.uint8)
    rows = [{"f": film + 1}, {"f": film}] if kind is MeanFrame else [{"x": ONE, "y": [1.0]}, {"x": "bad", "y": [2.0]}]
    baseline = kind(2).fit(rows * 4, [0, 1] * 4)
    state = baseline.state()
    np.testing.assert_array_equal(baseline_from_state(kind.key, state).predict(rows), baseline.predict(rows))
    changed = [{name: state[name][:-1]} for name in (*kind.features, "weights", "bias")]
    twice = [{name: [*state[name][:-1], state[name][0]]} for name in kind.features if isinstance(state[name], list)]
    for change in (*changed, *twice, {"size": 3}):
        with pytest.raises(ValueError, match=kind.key):
            baseline_from_state(kind.key, state | change)
