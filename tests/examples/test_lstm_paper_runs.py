"""Runs of the LSTM paper's experiments: nets, criteria, exams, and a layer that comes in late."""

from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from lstm_paper import judging, reber, temporal_order, training
from lstm_paper.late import UPDATES, AddLayer, LateLayer
from lstm_paper.models import CELLS, OneStepBack, make_model
from lstm_paper.problem import Bar, steps_of
from lstm_paper.problems import PROBLEMS
from lstm_paper.stream import Stream

from random_sequences import some_ragged
from unrolled.cells.elman import ElmanCell
from unrolled.nn.stack import Recurrent
from unrolled.nn.unroll import unroll

SHORT_ORDER = replace(
    temporal_order.TWO_SYMBOLS,
    name="short-order",
    draw=lambda count, rng: temporal_order.draw(count, rng, ((2, 4), (12, 15)), (40, 44)),
    lag=40,
    limit=20_000,
)


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


# ---- models and runs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_fits_every_net_and_its_criterion(name):
    problem = PROBLEMS[name]
    small = problem.draw(2, rng_of(0))
    for cell in CELLS:
        model = make_model(problem, cell)
        raw = judging.raw_answers(model, small)
        assert problem.error(raw.detach(), small).shape == (2,)
        assert torch.isfinite(judging.loss_of(problem.output, raw, small).total)


def test_the_net_of_1990_answers_as_an_elman_layer_and_looks_one_step_back():
    inputs = some_ragged([4, 0, 3], dtype=torch.float32)
    layer = OneStepBack(3, 5)
    outputs, final = layer(inputs)
    want, state = unroll(layer.cell, inputs)
    torch.testing.assert_close(outputs.values, want.values)
    torch.testing.assert_close(final.hidden, state.hidden)
    values = inputs.values.clone().requires_grad_()
    layer(inputs.with_values(values))[0].values[3].sum().backward()  # the last step of the first sequence
    assert values.grad is not None
    assert values.grad.abs().sum(1).nonzero().flatten().tolist() == [3]
    assert isinstance(layer.cell, ElmanCell)


def tiny(limit: int = 96, **changes):
    return replace(SHORT_ORDER, limit=limit, hidden_size=4, **changes)


def test_the_same_seed_gives_the_same_run_and_every_cell_the_same_sequences():
    first, second = (training.run(tiny(), "lstm", 3) for _ in range(2))
    assert replace(first, seconds=0) == replace(second, seconds=0)
    assert not first.solved
    assert first.sequences == 96
    streams = [next(Stream(tiny(), 3).epoch(0)) for _ in range(2)]
    assert torch.equal(steps_of(streams[0]).values, steps_of(streams[1]).values)


def test_a_run_stops_as_soon_as_the_window_is_right():
    always = tiny(recent=Bar(40), error=lambda raw, batch: torch.zeros(len(batch)))
    result = training.run(always, "elman", 0)
    assert result.solved
    assert (result.sequences, result.wrong) == (64, 0)  # the second batch of 32 fills the window of 40


def test_a_run_is_not_solved_before_its_exam_is_passed():
    def right_in_training(raw, batch):
        return torch.full((len(batch),), float(len(batch) != 32))

    strict = tiny(recent=Bar(32), exam=Bar(20), error=right_in_training)
    assert not training.run(strict, "elman", 0).solved
    assert training.run(replace(strict, exam=Bar(20, allowed=20)), "elman", 0).solved


def test_a_bar_asks_for_few_mistakes_and_a_small_mean():
    errors = np.array([0.1, 0.1, 0.5, 0.1])
    assert Bar(4, allowed=1).cleared(errors, 0.5)
    assert not Bar(4).cleared(errors, 0.5)
    assert Bar(4).cleared(errors, 0.51)
    assert Bar(4, allowed=1, mean=0.21).cleared(errors, 0.5)
    assert not Bar(4, allowed=1, mean=0.19).cleared(errors, 0.5)


def test_the_window_holds_the_latest_sequences_and_is_not_passed_before_it_is_full():
    answers = iter([torch.zeros(32), torch.ones(32), torch.zeros(32), torch.zeros(32)])
    problem = tiny(recent=Bar(40, allowed=24), error=lambda raw, batch: next(answers))
    judged = judging.Judged(problem, make_model(problem, "elman"))
    passed = []
    for batch in islice(Stream(problem, 0).epoch(0), 2):
        judged.loss(batch)
        passed.append(judged.passes)
    judged.loss(batch)  # now 8 wrong ones are left of 40
    assert [*passed, judged.passes] == [False, False, True]
    judged.forget()
    assert not judged.passes


def test_sequences_of_a_pool_come_again():
    stream = Stream(tiny(limit=320, pool=5), 0)
    seen = {tuple(row.tolist()) for batch in stream.epoch(0) for row in steps_of(batch)}
    assert len(seen) == 5


def test_no_test_string_is_one_to_learn_and_the_pool_is_part_of_the_exam():
    stream = Stream(reber.EMBEDDED_REBER, 0)
    tests, pool = stream.exams()
    known = {tuple(row.tolist()) for row in steps_of(stream.pool)}
    assert pool is stream.pool
    assert len(tests) == len(pool) == 256
    assert not known & {tuple(row.tolist()) for row in steps_of(tests)}


# ---- a layer that comes in late ----------------------------------------------------------------------


def test_a_late_layer_is_silent_until_it_is_added_and_the_inputs_go_past_it():
    layer = LateLayer(Recurrent(ElmanCell(3, 5)), 3)
    inputs = some_ragged([4, 2], dtype=torch.float32)
    before, _ = layer(inputs)
    layer.added = True
    after, state = layer(inputs)
    want, final = layer.layers(inputs)
    assert bool((before.values[:, :5] == 0).all())
    assert torch.equal(before.values[:, 5:], inputs.values)
    assert torch.equal(after.values, torch.cat([want.values, inputs.values], 1))
    assert torch.equal(state.hidden, final.hidden)
    first, _ = layer.step(torch.stack([row[0] for row in inputs]), layer.initial_state(2))
    torch.testing.assert_close(first, torch.stack([row[0] for row in after]))


def test_a_late_layer_is_added_once_the_loss_has_stopped_decreasing():
    layer = LateLayer(Recurrent(ElmanCell(3, 5)), 3)
    add = AddLayer(layer)
    losses = [1 / (1 + update // UPDATES) for update in range(5 * UPDATES)] + [0.199] * UPDATES
    added = []
    for loss in losses:
        add.on_update(SimpleNamespace(loss=loss))
        added.append(layer.added)
    assert added.index(True) == 6 * UPDATES - 1


@pytest.mark.parametrize("late", [False, True])
def test_only_a_problem_that_asks_for_it_has_a_late_layer(late):
    assert isinstance(make_model(tiny(late=late), "lstm").layers, LateLayer) == late


@pytest.mark.slow
def test_lstm_learns_a_short_temporal_order_and_elman_does_not():
    solved = training.run(SHORT_ORDER, "lstm", 0)
    assert solved.solved
    assert solved.wrong < 0.02 * solved.tested
    failed = training.run(SHORT_ORDER, "elman", 0)
    assert not failed.solved
    assert failed.wrong > 0.5 * failed.tested
