"""Laws of the steps of baselines for whole sequences: a record in pieces gets the answers of whole records."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from small_baselines import CASES, Case
from unrolled.baselines.per_label import PerLabel
from unrolled.baselines.registry import BASELINES
from unrolled.baselines.steps import ClassBaseline, Columns
from unrolled.errors import ArtifactError
from unrolled.streaming.state import StreamState, pack, unpack

NAME = "0123456789abcdef"
TWO = [
    {"x": f"{'ab' * (number % 3)} {number % 3}", "y": "\t\n"[: number % 3] + "Ω" * (number % 4)} for number in range(40)
]
LISTS = [{"x": [("u", "v", "w")[(number + step) % 3] for step in range(1 + number % 6)]} for number in range(40)]
THREE = [number % 3 for number in range(40)]
BLANKS = ["a \t b", "  ", "a\n\n", "\t", "a b  c   ", "x" * 9 + " \n" + "y" * 9]


def labels(key: str, inputs: list[Any], asked: list[Any]) -> Case:
    return Case(lambda: BASELINES[key](3), inputs, THREE, asked, {})


STEPPING = {key: case for key, case in CASES.items() if issubclass(BASELINES[key], ClassBaseline)} | {
    "words of tokens": labels("bag_of_words", LISTS, LISTS[:6]),
    "words of texts with blanks": labels(
        "bag_of_words", CASES["bag_of_words"].inputs, [{"x": text} for text in BLANKS]
    ),
    "n-grams of two texts": labels("character_ngrams", TWO, TWO[:9]),
    "n-grams of blanks": labels("character_ngrams", CASES["bag_of_words"].inputs, [{"x": text} for text in BLANKS]),
    "positions of two texts": labels("positional_naive_bayes", TWO, TWO[:9]),
    "n-grams, a label at a time": Case(
        lambda: PerLabel(BASELINES["character_ngrams"], 2),
        CASES["per_label"].inputs,
        CASES["per_label"].targets,
        CASES["per_label"].asked,
        {},
    ),
    "numbers far from zero": labels(
        "summary_statistics",
        *2 * [[{"x": [1e8 + number % 3 + step * 0.1 for step in range(2 + number % 5)]} for number in range(40)]],
    ),
    "one number that never changes": labels(
        "summary_statistics", *2 * [[{"x": [0.1 * (1 + number % 3)] * (1 + number % 7)} for number in range(40)]]
    ),
}
every = pytest.mark.parametrize("case", STEPPING.values(), ids=STEPPING)


def grows(value: Any) -> bool:
    return isinstance(value, str | list | np.ndarray)


def columns_of(record: dict[str, Any]) -> Columns:
    texts = tuple(name for name, value in record.items() if isinstance(value, str))
    lists = tuple(name for name, value in record.items() if isinstance(value, list | np.ndarray))
    return Columns(tuple(record), texts, lists)


def pieces_of(record: dict[str, Any], rng: np.random.Generator) -> list[tuple[int, int]]:
    longest = max((len(value) for value in record.values() if grows(value)), default=0)
    cuts = [0, *np.sort(rng.integers(0, longest + 1, 3)).tolist(), longest]
    return list(pairwise(cuts))


def cut(record: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    return {name: value[start:end] if grows(value) else value for name, value in record.items()}


def shape(answer: Any) -> np.ndarray:
    return np.asarray(answer, dtype=np.float64)


@every
def test_steps_give_the_answer_of_every_prefix(case):
    baseline, rng = case.fitted(), np.random.default_rng(0)
    for record in case.asked:
        steps = baseline.steps(columns_of(record))
        state = steps.initial
        for start, end in pieces_of(record, rng):
            piece = cut(record, start, end)
            state = steps.step(piece, state)
            if not end:
                continue  # nothing has come yet
            expected = baseline.predict([cut(record, 0, end)])[0]
            np.testing.assert_allclose(shape(baseline.shares(steps.read(piece, state))), expected, rtol=1e-9, atol=1e-9)


@every
def test_a_state_survives_bytes_and_has_its_form(case):
    baseline = case.fitted()
    for record in case.asked:
        steps = baseline.steps(columns_of(record))
        state = steps.step(record, steps.initial)
        steps.form.check(unpack(pack(StreamState(steps.initial, np.zeros(0)), NAME), NAME).memory, "memory")
        again = unpack(pack(StreamState(state, np.zeros(0)), NAME), NAME).memory
        steps.form.check(again, "memory")
        one, other = (shape(baseline.shares(steps.read(record, kept))) for kept in (state, again))
        np.testing.assert_array_equal(one, other)


@every
def test_a_step_leaves_the_state_before_it_as_it_was(case):
    baseline, record = case.fitted(), case.asked[0]
    steps = baseline.steps(columns_of(record))
    state = steps.step(record, steps.initial)
    before = pack(StreamState(state, np.zeros(0)), NAME)
    steps.step(record, state)
    steps.read(record, state)
    assert pack(StreamState(state, np.zeros(0)), NAME) == before


@every
def test_a_long_sequence_needs_no_more_state_than_its_features(case):
    baseline, record = case.fitted(), max(case.asked, key=lambda one: sum(map(len, filter(grows, one.values()))))
    steps = baseline.steps(columns_of(record))
    state, sizes = steps.initial, []
    for _ in range(24):
        state = steps.step(record, state)
        sizes.append(len(pack(StreamState(state, np.zeros(0)), NAME)))
    bound = 1100 * len(record) if baseline.key == "positional_naive_bayes" else sizes[7] + 16 * len(record)
    assert sizes[-1] <= bound


@every
def test_a_state_of_another_shape_is_refused(case):
    baseline, record = case.fitted(), case.asked[0]
    steps = baseline.steps(columns_of(record))
    for wrong in (None, 7, ((),), (np.zeros(3), np.zeros(2)), "text"):
        with pytest.raises(ArtifactError, match="memory"):
            steps.form.check(wrong, "memory")


def test_a_series_of_a_million_values_keeps_its_digits():
    draw = np.random.default_rng(0)
    series = 1e6 + draw.normal(size=200_000)
    case = STEPPING["numbers far from zero"]
    baseline = case.fitted()
    steps = baseline.steps(Columns(("x",), (), ("x",)))
    state = steps.initial
    for part in np.array_split(series, 2000):
        state = steps.step({"x": part}, state)
    whole = baseline._row(series[:, None])
    np.testing.assert_allclose(steps.read({"x": []}, state), whole, rtol=1e-9)
