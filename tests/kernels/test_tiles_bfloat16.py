"""Products in bfloat16: as close to the exact reference as eight bits of mantissa allow, state and sums in float32."""

from typing import Any

import pytest
import torch
from hypothesis import settings

from kernels.tile_checks import a_cell, a_state, cells, everything, look_beyond, on, random_runs
from random_sequences import some_ragged
from unrolled.cells.base import Cell
from unrolled.kernels import reference
from unrolled.kernels.choose import choose
from unrolled.kernels.cpu import calls, kernel
from unrolled.kernels.cpu.machine import host
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

TOLERANCE = 1e-2
UNBOUNDED = {"elman_relu": 3e-2}  # nothing squashes its state, so the roundings of every step add up
on_pairs = pytest.mark.skipif(not host().has_pairs, reason="this processor has no product of bfloat16 pairs")


def rounded_loop(cell: Cell, inputs: Ragged, state: Any) -> tuple[Ragged, Any]:
    """The reference with torch's own rounding to bfloat16."""
    with torch.autocast("cpu", torch.bfloat16):
        return reference.run(cell, inputs, state)


def check(name: str, cell: Cell, inputs: Ragged, state: Any, least: float = 1e-30) -> None:
    """Relative errors; where the cell enlarges them, no larger than twice those of torch's loop in bfloat16."""
    got, loop = everything(on(host(), pairs=True), cell, inputs, state), everything(rounded_loop, cell, inputs, state)
    with torch.no_grad():
        quick, _ = on(host(), pairs=True)(cell, inputs, state)
    assert torch.equal(quick.values.double(), got["outputs"])
    state = cell.state_type(*(field.double() for field in state))
    exact = everything(reference.run, cell.double(), inputs.to(torch.float64), state)
    for part, tensor in exact.items():
        size = tensor.norm().clamp(min=least)
        error, usual = (float((found[part] - tensor).norm() / size) for found in (got, loop))
        assert error <= max(UNBOUNDED.get(name, TOLERANCE), 2 * usual), (
            f"{part}: relative error {error:.1e}, torch's loop {usual:.1e}"
        )


@on_pairs
@cells
@random_runs
@settings(max_examples=15, deadline=None)
def test_outputs_states_and_gradients_are_close_to_the_exact_reference(name, lengths, sizes, seed):
    inputs = some_ragged(lengths, sizes[0], seed, torch.float32)
    cell = a_cell(name, *sizes, seed)
    check(name, cell, inputs, a_state(cell, len(lengths), seed), least=1.0)


@on_pairs
@cells
def test_two_thousand_steps_are_as_close_as_two(name):
    cell = a_cell(name, 4, 16, scale=0.01)
    check(name, cell, some_ragged([2000, 3], 4, dtype=torch.float32), a_state(cell, 2))


@on_pairs
@cells
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("block_values", [1, 2000])
def test_blocks_and_threads_change_nothing_but_the_order_of_sums(name, block_values, threads, monkeypatch):
    cell, inputs = a_cell(name, 5, 20), some_ragged([30, 7, 0, 7, 12], 5, dtype=torch.float32)
    want = everything(on(host(), pairs=True), cell, inputs, a_state(cell, 5))
    monkeypatch.setattr(calls, "BLOCK_VALUES", block_values)
    monkeypatch.setattr(calls, "threads_for", lambda work, least: threads)
    first, again = (everything(on(host(), pairs=True), cell, inputs, a_state(cell, 5)) for _ in range(2))
    for part, tensor in want.items():
        assert torch.equal(first[part], again[part])
        torch.testing.assert_close(first[part], tensor, rtol=1e-4, atol=1e-4)


@on_pairs
@cells
@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (17, 33), (64, 128)])
def test_nothing_is_read_or_written_beyond_a_buffer(name, sizes, monkeypatch):
    cell, inputs = a_cell(name, *sizes), some_ragged([9, 4, 0, 6, 6, 1, 7], sizes[0], dtype=torch.float32)
    want = everything(on(host(), pairs=True), cell, inputs, a_state(cell, 7))
    look_beyond(monkeypatch)
    got = everything(on(host(), pairs=True), cell, inputs, a_state(cell, 7))
    for part, tensor in want.items():
        torch.testing.assert_close(got[part], tensor, rtol=1e-4, atol=1e-4, msg=lambda text, part=part: part + text)


@on_pairs
@cells
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_infinity_go_where_the_equations_send_them(name, bad):
    cell, inputs = a_cell(name, 3, 17), some_ragged([4, 2, 5], 3, dtype=torch.float32)
    inputs.values[5, 1] = bad
    with torch.no_grad():
        got, _ = on(host(), pairs=True)(cell, inputs, a_state(cell, 3))
        want, _ = reference.run(cell, inputs, a_state(cell, 3))
    assert torch.equal(got.values.isnan(), want.values.isnan())
    assert torch.equal(got.values.isinf(), want.values.isinf())


@on_pairs
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_runs_on_the_tiles_and_keeps_states_in_float32(dtype):
    cell, values = a_cell("lstm", 6, 20), some_ragged([4, 0, 7], 6, dtype=torch.float32).values.to(dtype)
    inputs = Ragged(values.requires_grad_(), torch.tensor([4, 0, 7]))
    with torch.autocast("cpu", torch.bfloat16):
        assert choose(cell, inputs).name == "tiles"
        outputs, state = unroll(cell, inputs)
    outputs.values.square().sum().backward()
    assert {tensor.dtype for tensor in (outputs.values, *state, cell.weight_ih.grad)} == {torch.float32}
    assert values.grad.dtype == dtype
    exact, _ = unroll(cell, inputs.with_values(values.detach().float()), kernel="reference")
    assert not torch.equal(outputs.values, exact.values)
    torch.testing.assert_close(outputs.values, exact.values, rtol=0.05, atol=0.02)


@on_pairs
def test_a_state_from_a_layer_under_autocast_is_taken():
    cell, inputs = a_cell("lstm", 3, 5), some_ragged([4, 2], 3, dtype=torch.float32)
    made = torch.nn.Linear(2, 5)
    with torch.autocast("cpu", torch.bfloat16):
        start = made(torch.ones(2, 2))
        assert start.dtype == torch.bfloat16
        outputs, state = unroll(cell, inputs, cell.state_type(start, start))
    (outputs.values.sum() + state.cell.sum()).backward()
    assert state.hidden.dtype == torch.float32
    exact, _ = unroll(cell, inputs, cell.state_type(start.float(), start.float()), kernel="reference")
    torch.testing.assert_close(outputs.values, exact.values, rtol=0.05, atol=0.02)
    assert made.weight.grad.abs().sum() > 0


@on_pairs
def test_second_derivatives_go_through_the_reference():
    cell, values = a_cell("gru", 3, 5), some_ragged([4, 2], 3, dtype=torch.float32).values.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, _ = unroll(cell, Ragged(values, torch.tensor([4, 2])))
    (slope,) = torch.autograd.grad(outputs.values.sum(), values, create_graph=True)
    (second,) = torch.autograd.grad(slope.square().sum(), values)
    exact, _ = unroll(cell, Ragged(values, torch.tensor([4, 2])), kernel="reference")
    (slope,) = torch.autograd.grad(exact.values.sum(), values, create_graph=True)
    torch.testing.assert_close(second, torch.autograd.grad(slope.square().sum(), values)[0], rtol=0.1, atol=0.02)


def test_it_is_refused_in_words_where_the_processor_has_no_pairs(monkeypatch):
    monkeypatch.setattr(kernel, "HAS_PAIRS", False)
    cell, inputs = a_cell("lstm", 3, 4), some_ragged([2], 3, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert "no product of bfloat16 pairs" in choose(cell, inputs).refused["tiles"]
    with torch.autocast("cpu", torch.float16):
        assert "float16" in choose(cell, inputs).refused["tiles"]
