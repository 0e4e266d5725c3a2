"""How many threads a team has: fewer where that is faster just now, and never another answer."""

import pytest
import torch

from random_sequences import some_ragged
from unrolled.cells.registry import make_cell
from unrolled.kernels.cpu import calls, pool
from unrolled.kernels.cpu.pace import FIRST, LONGEST, Pace
from unrolled.nn.unroll import unroll


def taken(pace: Pace, seconds: dict[int, float], calls: int) -> list[int]:
    """The threads of so many calls that take so long by the number of threads."""
    used = []
    for _ in range(calls):
        used.append(pace.threads)
        pace.took(seconds[pace.threads])
    return used


def test_short_runs_and_idle_machines_keep_the_whole_team():
    pace, idle = Pace(2), {2: 0.01, 1: 0.019}
    assert taken(pace, idle, FIRST) == [2] * FIRST
    used = taken(pace, idle, 10 * LONGEST)
    assert used.count(1) < 0.01 * len(used)
    assert used[-1] == 2


def test_a_busy_core_is_left_alone_and_taken_back_when_it_is_idle():
    pace = Pace(2)
    taken(pace, {2: 0.01, 1: 0.019}, 5 * FIRST)
    busy = taken(pace, {2: 0.04, 1: 0.019}, 2000)
    assert busy[100:].count(1) > 0.9 * len(busy[100:])
    idle = taken(pace, {2: 0.01, 1: 0.019}, 1000)
    assert idle[-500:].count(2) > 0.95 * 500


def test_a_core_that_was_busy_from_the_start_is_found_too():
    assert taken(Pace(2), {2: 0.04, 1: 0.019}, 200)[-1] == 1


@pytest.mark.parametrize("best", [8, 4, 2, 1])
def test_the_best_of_many_numbers_is_found(best):
    seconds = {size: 1.0 + abs(size.bit_length() - best.bit_length()) for size in (8, 4, 2, 1)}
    used = taken(Pace(8), seconds, 3000)
    assert used[-1000:].count(best) > 900


def test_a_number_of_threads_that_is_no_power_of_two_goes_down_to_one():
    used = taken(Pace(6), {6: 4.0, 3: 2.0, 1: 1.0}, 500)
    assert used[-1] == 1


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_fewer_threads_give_the_same_answer_bit_for_bit(threads, monkeypatch):
    if pool._team() is None:
        pytest.skip("this build of torch does not bring its OpenMP library as a file")
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 3)
    cell, some = make_cell("lstm", 4, 20), some_ragged([30, 20, 10, 5], 4, dtype=torch.float32)

    def answers() -> list[torch.Tensor]:
        outputs, _ = unroll(cell, some, kernel="tiles")
        return [outputs.values.detach(), *torch.autograd.grad(outputs.values.sum(), list(cell.parameters()))]

    want = answers()
    monkeypatch.setattr(Pace, "threads", threads)
    for got, wanted in zip(answers(), want, strict=True):
        assert torch.equal(got, wanted)
