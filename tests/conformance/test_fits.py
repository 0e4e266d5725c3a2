"""Laws of fitting, for every task: at once with others it learns what it learns alone, and by every optimiser."""

import random
import threading
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from conformance.test_tasks import CASES, weights
from unrolled.tasks.base import Task
from unrolled.tasks.registry import TASKS
from unrolled.training.optimizers import make_optimizer, optimizer_names
from unrolled.training.options import TrainingOptions

AT_ONCE = 3
DAY = 86_400


def series(count: int) -> Any:
    draw = np.random.default_rng(0)
    return [np.sin(np.arange(count) / 3) + draw.normal(0, 0.1, count) for _ in range(2)]


def visits() -> list[dict[str, Any]]:
    draw = np.random.default_rng(0)
    return [
        {"user": user, "item": f"i{draw.integers(6)}", "place": f"p{draw.integers(6)}", "time": DAY * day + user}
        for user in range(8)
        for day in range(6)
    ]


SIZES = {"hidden_size": 8, "dropout": 0.3}
MORE = {
    "Forecaster": (lambda: ur.Forecaster(horizon=3, context_length=8, season=1, **SIZES), series(60)),
    "Detector": (lambda: ur.Detector(warm_up=5, **SIZES), series(90)),
    "Recommender": (lambda: ur.Recommender("user", "item", time="time", **SIZES), visits()),
    "NextPlace": (lambda: ur.NextPlace("user", "place", time="time", **SIZES), visits()),
}


def fit(name: str, seed: int) -> Task:
    """A small fit whose dropout and order of batches are drawn."""
    small = {"epochs": 1, "batch_size": 4, "validation": 0.0, "device": "cpu", "seed": seed}
    if name in MORE:
        make, data = MORE[name]
        return make().fit(data, baselines=False, **small)
    case = CASES[name]
    return case.make(dropout=0.3).fit(case.data[:24], baselines=False, **small)


def states() -> tuple[Any, ...]:
    """Where the process' own random numbers are."""
    python, numpy = random.getstate(), np.random.get_state(legacy=True)  # noqa: NPY002
    return python, numpy[1].tolist(), numpy[2:], torch.get_rng_state().tolist()


every = pytest.mark.parametrize("name", TASKS)


def test_every_task_is_here():
    assert {*CASES, *MORE} == set(TASKS)


@every
def test_fits_at_once_learn_what_each_learns_alone_and_leave_random_numbers_as_they_were(name):
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002
    np.random.randn()  # noqa: NPY002 - the second of two numbers that were drawn together waits
    torch.manual_seed(3)
    before = states()
    threads_before = torch.get_num_threads()
    alone = weights(fit(name, 1))
    assert states() == before
    start, found = threading.Barrier(AT_ONCE), {}

    def run(number: int) -> None:
        start.wait()
        found[number] = weights(fit(name, 1))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == AT_ONCE
    for learnt in found.values():
        assert [key for key in alone if not torch.equal(learnt[key], alone[key])] == []
    assert states() == before
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == threads_before


@every
def test_every_optimiser_that_is_offered_takes_the_network_of_every_task(name):
    task = fit(name, 1)
    network, kept = task.network_, {key: value.clone() for key, value in weights(task).items()}
    for optimizer in optimizer_names():
        network.load_state_dict(kept)
        learning = {key: weight for key, weight in network.named_parameters() if weight.requires_grad}
        made = make_optimizer(network, TrainingOptions(optimizer=optimizer, weight_decay=0.0))
        made.zero_grad()
        for weight in learning.values():
            weight.grad = torch.linspace(-1, 1, weight.numel()).view_as(weight)
        made.step()
        moved = [key for key, weight in learning.items() if not torch.equal(weight, kept[key])]
        assert moved == list(learning), optimizer
        assert all(bool(weight.isfinite().all()) for weight in learning.values()), optimizer
