"""The LSTM paper's problems: sequences as the paper has them, and errors that tell right from wrong."""

import re
from itertools import pairwise

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from lstm_paper import copy_memory, long_adding, long_lags, reber, temporal_order, very_long_lags
from lstm_paper.adding import ADDING_100
from lstm_paper.marked_pairs import marked_pairs
from lstm_paper.multiplication import COARSE
from lstm_paper.problem import class_error, steps_of
from lstm_paper.problems import PROBLEMS
from lstm_paper.two_sequences import TWO_SEQUENCES
from torch import Tensor

from unrolled.nn.heads import IGNORED

seeds = st.integers(0, 2**32)


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def right_answers(targets: Tensor, width: int, certainty: float = 20.0) -> Tensor:
    """Logits that put all probability on the targets."""
    return torch.nn.functional.one_hot(targets.clamp(min=0), width) * certainty


# ---- embedded Reber grammar --------------------------------------------------------------------------

# the automaton written out as one regular expression, loops of its nodes as stars
ENDING = r"V(?:PXT*V)*(?:V|PS)"
REBER = re.compile(rf"B(?:TS*X(?:S|XT*{ENDING})|PT*{ENDING})E")


@given(seed=seeds)
def test_every_string_is_accepted_by_an_automaton_and_its_ends_agree(seed):
    string = reber.embedded_string(rng_of(seed))
    assert REBER.fullmatch(string[2:-2])
    assert re.fullmatch(r"B([TP])B.+E\1E", string)
    assert len(string) >= 9


@given(seed=seeds)
def test_what_follows_in_a_string_is_legal(seed):
    string = reber.embedded_string(rng_of(seed))
    legal = reber.legal_after(string)
    assert len(legal) == len(string) - 1
    assert all(after in allowed for (_, after), allowed in zip(pairwise(string), legal, strict=True))
    assert legal[-2] == {string[1]}


def test_both_branches_of_every_node_are_taken():
    rng = rng_of(0)
    strings = {reber.reber_string(rng) for _ in range(200)}
    assert {"BTXSE", "BPVVE", "BTSXSE", "BPTVVE", "BTXXVVE"} <= strings


def test_a_reber_string_is_right_when_the_legal_symbols_are_the_most_active_ones():
    batch = reber.batch_of(["BTBTXSETE", "BPBPVVEPE"])
    raw = torch.tensor(
        [
            [float(s in allowed) for s in reber.SYMBOLS]
            for w in ("BTBTXSETE", "BPBPVVEPE")
            for allowed in reber.legal_after(w)
        ]
    )
    assert reber.error(raw, batch).tolist() == [0, 0]
    raw[-2] = raw[6]  # the outer symbol of the first string, in the second
    assert reber.error(raw, batch).tolist() == [0, 1]


def test_a_weak_legal_symbol_is_a_mistake_even_where_the_string_goes_another_way():
    batch = reber.batch_of(["BTBTXSETE"])
    raw = right_answers(batch.targets.values, len(reber.SYMBOLS))
    assert reber.error(raw, batch) == 1  # P is legal after the first B as well


# ---- long lags ---------------------------------------------------------------------------------------


@given(seed=seeds, lag=st.integers(2, 30), regular=st.booleans())
def test_the_last_symbol_repeats_the_first(seed, lag, regular):
    batch = long_lags.draw(3, rng_of(seed), regular, lag)
    for inputs, targets in zip(steps_of(batch), batch.targets, strict=True):
        assert len(inputs) == lag
        assert inputs[0] == targets[-1] >= lag - 1
        assert bool((inputs[1:] < lag - 1).all())
        if regular:
            assert inputs[1:].tolist() == targets[:-1].tolist() == list(range(lag - 1))
        else:
            assert bool((targets[:-1] == IGNORED).all())


def test_every_symbol_counts_where_all_can_be_foreseen_and_the_last_where_only_that_can():
    batch = long_lags.draw(2, rng_of(0), regular=True)
    raw = right_answers(batch.targets.values, long_lags.P + 1)
    for error in (long_lags.error_at_all_steps, long_lags.error_at_end):
        assert bool((error(raw, batch) < 1e-3).all())
    raw[98] = -raw[98]
    assert (long_lags.error_at_all_steps(raw, batch) > 0.9).tolist() == [True, False]
    assert (long_lags.error_at_end(raw, batch) > 0.9).tolist() == [False, False]
    raw[199] = -raw[199]
    assert (long_lags.error_at_end(raw, batch) > 0.9).tolist() == [False, True]


@given(seed=seeds, lag=st.integers(1, 40), distractors=st.integers(1, 20))
def test_the_second_symbol_names_the_answer_and_the_trigger_comes_last(seed, lag, distractors):
    batch = very_long_lags.draw(5, rng_of(seed), lag, distractors)
    for inputs, answer in zip(steps_of(batch), batch.targets.tolist(), strict=True):
        assert len(inputs) >= lag + 3
        assert (int(inputs[0]), int(inputs[1]), int(inputs[-1])) == (
            distractors,
            distractors + 2 + answer,
            distractors + 1,
        )
        assert bool((inputs[2:-1] < distractors).all())


def test_very_long_sequences_have_nine_steps_more_than_the_least_on_average():
    lengths = very_long_lags.draw(20_000, rng_of(0), 10, 5).lengths
    assert int(lengths.min()) == 13
    assert abs(float(lengths.double().mean()) - 22) < 0.3


# ---- adding and multiplication -----------------------------------------------------------------------


@given(seed=seeds, shortest=st.sampled_from([40, 100, 250]))
def test_two_pairs_are_marked_where_the_paper_has_them(seed, shortest):
    made = marked_pairs(20, rng_of(seed), shortest, -1.0, 0.0)
    assert bool(((made.pairs.lengths >= shortest) & (made.pairs.lengths <= 1.1 * shortest)).all())
    for pairs, first, second in zip(made.pairs, made.first, made.second, strict=True):
        numbers, markers = pairs[:, 0], pairs[:, 1]
        assert markers[0] == markers[-1] == -1
        marked = (markers == 1).nonzero().flatten()
        chosen = sorted([float(first), float(second)])
        if len(marked) == 2:
            assert sorted(numbers[marked].tolist()) == chosen
            assert marked[0] < 10
        else:  # the first pair was chosen
            assert sorted([0.0, float(numbers[marked[0]])]) == chosen
        assert marked[-1] < max(shortest // 2, 10)
        assert set(markers.tolist()) <= {-1.0, 0.0, 1.0}


@given(seed=seeds)
def test_targets_are_the_scaled_sum_and_the_product(seed):
    added = ADDING_100.draw(8, rng_of(seed))
    sums = marked_pairs(8, rng_of(seed), 100, -1.0, 0.0)
    assert torch.equal(added.targets[:, 0], 0.5 + (sums.first + sums.second) / 4)
    assert bool(((added.targets >= 0) & (added.targets <= 1)).all())
    times = COARSE.draw(8, rng_of(seed))
    factors = marked_pairs(8, rng_of(seed), 100, 0.0, 1.0)
    assert torch.equal(times.targets[:, 0], factors.first * factors.second)


def test_a_numbers_error_is_its_distance_from_the_target():
    batch = ADDING_100.draw(3, rng_of(0))
    raw = batch.targets + torch.tensor([[0.039], [-0.039], [0.041]])
    torch.testing.assert_close(ADDING_100.error(raw, batch), torch.tensor([0.039, 0.039, 0.041]))


@given(seed=seeds, steps=st.integers(2, 30))
def test_the_long_sum_adds_two_different_steps(seed, steps):
    batch = long_adding.draw(4, rng_of(seed), steps)
    for pairs, target in zip(steps_of(batch), batch.targets[:, 0], strict=True):
        assert pairs[:, 1].sum() == 2
        assert abs(float((pairs[:, 0] * pairs[:, 1]).sum() - target)) < 1e-6


# ---- two sequences -----------------------------------------------------------------------------------


@given(seed=seeds, name=st.sampled_from([problem.name for problem in TWO_SEQUENCES]))
def test_the_first_numbers_show_the_class_and_their_noise_is_the_papers(seed, name):
    problem, signal = PROBLEMS[name], int(name[-1])
    batch = problem.draw_exam(50, rng_of(seed))
    assert bool(((batch.lengths >= 100) & (batch.lengths <= 110)).all())
    shown = torch.stack([row[:signal, 0] for row in steps_of(batch)])  # (B, signal)
    near, far = (0.2, 0.8) if "target" in name else (1.0, 0.0)
    class_1 = batch.targets[:, 0] == torch.tensor(near)
    assert bool((class_1 | (batch.targets[:, 0] == torch.tensor(far))).all())
    noise = shown - torch.where(class_1, 1.0, -1.0)[:, None]
    if "noisy-signal" in name:
        assert 0.2 < float(noise.std()) < 0.8
    else:
        assert bool((noise == 0).all())


def test_noise_has_the_papers_variances_and_is_on_training_targets_only():
    problem = PROBLEMS["noisy-target-3"]
    batch, clean = problem.draw(20_000, rng_of(0)), problem.draw_exam(500, rng_of(0))
    rest = torch.cat([row[3:] for row in steps_of(batch)])
    assert abs(float(rest.var()) - 0.2) < 0.005
    class_1 = torch.stack([row[0, 0] for row in steps_of(batch)]) > 0
    for which, mean in ((class_1, 0.2), (~class_1, 0.8)):
        targets = batch.targets[which]
        assert abs(float(targets.mean()) - mean) < 0.01
        assert abs(float(targets.var()) - 0.1) < 0.005
    assert set(clean.targets.flatten().tolist()) == {float(torch.tensor(t)) for t in (0.2, 0.8)}


# ---- temporal order and copying ----------------------------------------------------------------------


@given(seed=seeds, problem=st.sampled_from([temporal_order.TWO_SYMBOLS, temporal_order.THREE_SYMBOLS]))
def test_the_class_spells_the_order_and_the_places_are_the_papers(seed, problem):
    places = ((10, 20), (50, 60)) if problem is temporal_order.TWO_SYMBOLS else ((10, 20), (33, 43), (66, 76))
    batch = problem.draw(10, rng_of(seed))
    assert bool(((batch.lengths >= 100) & (batch.lengths <= 110)).all())
    for symbols, target in zip(steps_of(batch), batch.targets.tolist(), strict=True):
        text = "".join(temporal_order.SYMBOLS[symbol] for symbol in symbols)
        assert re.fullmatch("E[abcdXY]+B", text)
        found = [step for step, symbol in enumerate(text) if symbol in "XY"]
        assert all(low <= step <= high for step, (low, high) in zip(found, places, strict=True))
        assert [int(text[step] == "Y") for step in found] == [int(digit) for digit in f"{target:0{len(places)}b}"]


def test_a_classs_error_is_that_of_its_worst_output():
    batch = temporal_order.TWO_SYMBOLS.draw(2, rng_of(0))
    shares = torch.full((2, 4), 0.1)
    shares[torch.arange(2), batch.targets] = 0.7
    shares[1, (batch.targets[1] + 1) % 4] = 0.6
    shares /= shares.sum(1, True)  # 0.7 of 1 and 0.7 of 1.5
    torch.testing.assert_close(class_error(shares.log(), batch), torch.tensor([0.3, 1 - 0.7 / 1.5]))


@given(seed=seeds, pause=st.integers(1, 30))
def test_the_digits_come_out_after_the_pause(seed, pause):
    batch = copy_memory.draw(2, rng_of(seed), pause)
    for inputs, targets in zip(steps_of(batch), batch.targets, strict=True):
        assert len(inputs) == pause + 20
        assert targets[-10:].tolist() == inputs[:10].tolist()
        assert bool((targets[:-10] == 0).all())
        assert (inputs == 9).nonzero().flatten().tolist() == list(range(pause + 9, pause + 20))
    raw = right_answers(batch.targets.values, 10)
    assert copy_memory.error(raw, batch).tolist() == [0, 0]
    raw[-1] = raw[-1].roll(1)
    assert copy_memory.error(raw, batch).tolist() == [0, 1]
