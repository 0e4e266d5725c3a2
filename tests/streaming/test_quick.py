"""The quick step says what the network says, one stream or many at a time."""

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from random_sequences import shake
from unrolled.arrangements.many_to_many import ManyToMany, NextStep
from unrolled.batch import Batch
from unrolled.cells.registry import CELLS, make_cell
from unrolled.codecs.base import Spec
from unrolled.errors import UnsupportedError
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.nn.heads import NumberOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.layers import make_layers
from unrolled.ragged import Ragged
from unrolled.streaming.engine import Engine
from unrolled.streaming.fast_step import Quick, quick_of

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
tiled = pytest.mark.parametrize("cell", [name for name in CELLS if name_of(make_cell(name, 1, 1))])


def network(cell: str = "lstm", inputs: int = 3, hidden: int = 5, **options) -> NextStep:
    layers = make_layers(cell, inputs, hidden, **options)
    net = NextStep(InputLayer({"x": Spec("vector", inputs)}), layers, NumberOutput(2))
    return shake(net, 0, 0.1).eval()


def steps(net: NextStep, rows: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One step of each row, as the network takes it."""
    batch = Batch({"x": Ragged(torch.from_numpy(rows), torch.ones(len(rows), dtype=torch.int64))})
    raw, after = Engine(net).run(batch, states, torch.zeros(len(rows), dtype=torch.bool))
    return raw.values.numpy(), after


@tiled
@given(rows=st.integers(1, 20), hidden=st.integers(1, 40), layers=st.integers(1, 2), seed=st.integers(0, 99))
@settings(max_examples=5, deadline=None)
def test_one_and_many_equal_the_network(cell, rows, hidden, layers, seed):
    options = {"num_layers": layers, **({"layer_norm": True, "residual": True} if layers > 1 else {})}
    net, rng = network(cell, hidden=hidden, **options), np.random.default_rng(seed)
    quick = Quick(net)
    states = rng.normal(size=(rows, Engine(net).layout.size)).astype(np.float32)
    for count in (rows, max(1, rows // 2), rows):
        inputs = rng.normal(size=(count, 3)).astype(np.float32)
        raw, after = steps(net, inputs, states[:count])
        many, left = quick.step_many(inputs, states[:count])
        np.testing.assert_allclose(many, raw, **CLOSE)
        np.testing.assert_allclose(left, after, **CLOSE)
        for row in range(count):
            quick.inputs[:] = inputs[row]
            one, own = quick.step(states[row])
            np.testing.assert_allclose(one, raw[row], **CLOSE)
            np.testing.assert_allclose(own, after[row], **CLOSE)
        states[:count] = after


def test_the_state_given_stays_as_it_was_and_the_next_is_its_own():
    quick, state = Quick(network()), np.ones(10, dtype=np.float32)
    quick.inputs[:] = 1
    _, first = quick.step(state)
    kept = first.copy()
    quick.step(first)
    assert np.array_equal(state, np.ones(10))
    assert np.array_equal(first, kept)


def test_threads_do_not_mix():
    net = network(hidden=64)
    quick, rng = Quick(net), np.random.default_rng(0)
    inputs = rng.normal(size=(8, 3)).astype(np.float32)
    alone = [quick.step_many(inputs[row : row + 1], np.zeros((1, 128), dtype=np.float32))[0] for row in range(8)]
    wrong: list[int] = []

    def work(row: int) -> None:
        for _ in range(300):
            with quick.lock:
                quick.inputs[:] = inputs[row]
                raw, _ = quick.step(np.zeros(128, dtype=np.float32))
            if not np.allclose(raw, alone[row][0], atol=1e-5):
                wrong.append(row)

    threads = [threading.Thread(target=work, args=(row,)) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("options", [{"zoneout": 0.1}, {"bidirectional": True}], ids=str)
def test_what_has_no_quick_step_has_none(options):
    layers = make_layers("lstm", 3, 5, **options)
    net = ManyToMany(InputLayer({"x": Spec("vector", 3)}), layers, NumberOutput(2)).eval()
    assert quick_of(net) is None


def test_a_network_in_another_precision_has_none():
    with pytest.raises(UnsupportedError):
        Quick(network().double())
    assert quick_of(network("conv")) is None
