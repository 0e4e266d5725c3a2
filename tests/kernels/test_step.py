"""A stepper that keeps its own buffers equals the cell's equation, step after step."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from random_sequences import noise, seeds, shake
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import ShapeError, UnsupportedError
from unrolled.kernels.cpu import step as module
from unrolled.kernels.cpu.machine import available
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.kernels.cpu.step import Stepper

cells = pytest.mark.parametrize("name", [name for name in CELLS if name_of(make_cell(name, 1, 1))])


@cells
@pytest.mark.parametrize("machine", available(), ids=lambda machine: machine.name)
@given(rows=st.integers(1, 20), sizes=st.tuples(st.integers(1, 9), st.integers(1, 40)), seed=seeds)
@settings(max_examples=8, deadline=None)
def test_steps_equal_the_cells_own(name, machine, rows, sizes, seed):
    cell = shake(make_cell(name, *sizes, learn_initial_state=True), seed, 0.1)
    stepper, state = Stepper(cell, rows, machine), cell.initial_state(rows)
    for t in range(4):
        inputs = noise(rows, sizes[0], seed=seed + t, dtype=torch.float32)
        want, state = cell.step(inputs, state)
        got = stepper.step(inputs.numpy())
        torch.testing.assert_close(torch.from_numpy(got.copy()), want.detach(), rtol=1e-5, atol=1e-5)
    for got, want in zip(stepper.state, state, strict=True):
        torch.testing.assert_close(got, want.detach(), rtol=1e-5, atol=1e-5)


@cells
def test_threads_share_the_streams(name, monkeypatch):
    cell, inputs = make_cell(name, 3, 20), noise(50, 3, dtype=torch.float32).numpy()
    alone = Stepper(cell, 50)
    monkeypatch.setattr(module, "threads_for", lambda work, least: 3)
    together = Stepper(cell, 50)
    for _ in range(3):
        assert np.allclose(together.step(inputs), alone.step(inputs), atol=1e-6)


@cells
def test_a_state_taken_out_and_put_back_goes_on_as_before(name):
    cell, inputs = make_cell(name, 3, 5), noise(2, 3, dtype=torch.float32).numpy()
    stepper = Stepper(cell, 2)
    stepper.step(inputs)
    kept = stepper.state
    want = stepper.step(inputs).copy()
    stepper.step(inputs)
    stepper.state = kept
    assert np.array_equal(stepper.step(inputs), want)
    with pytest.raises(ShapeError, match=rf"shape \(2, {cell.output_size}\)"):
        stepper.state = cell.initial_state(3)


def test_weights_are_those_of_the_beginning():
    cell, inputs = make_cell("gru", 3, 5), np.ones((1, 3), dtype=np.float32)
    stepper = Stepper(cell)
    want = Stepper(cell).step(inputs).copy()
    with torch.no_grad():
        cell.weight_ih.zero_()
    assert np.array_equal(stepper.step(inputs), want)


def test_inputs_may_be_filled_in_place():
    cell = make_cell("gru", 3, 5)
    stepper, other = Stepper(cell), Stepper(cell)
    stepper.inputs[:] = 0.5
    assert np.array_equal(stepper.step(stepper.inputs), other.step(np.full((1, 3), 0.5, dtype=np.float32)))


def test_a_cell_without_tiles_is_refused():
    with pytest.raises(UnsupportedError, match="a float32 cell of the tiles"):
        Stepper(make_cell("gru", 3, 5).double())
