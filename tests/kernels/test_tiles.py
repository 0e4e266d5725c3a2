"""The register tiles equal the exact reference, on every machine that this processor can be."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels.tile_checks import NAMES, a_cell, a_state, cells, check, few_cells, look_beyond, on, random_runs
from random_sequences import everything, noise, some_lengths, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.registry import make_cell
from unrolled.kernels import reference
from unrolled.kernels.cpu import calls
from unrolled.kernels.cpu.layout import chunks_of
from unrolled.kernels.cpu.machine import available
from unrolled.kernels.cpu.pointwise.registry import POINTWISE, name_of
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

machines = pytest.mark.parametrize("machine", available(), ids=lambda machine: machine.name)


@machines
@cells
@random_runs
@settings(max_examples=15, deadline=None)
def test_outputs_states_and_gradients_equal_the_exact_reference(machine, name, lengths, sizes, seed):
    cell = a_cell(name, *sizes, seed)
    check(machine, cell, some_ragged(lengths, sizes[0], seed, torch.float32), a_state(cell, len(lengths), seed), 1.0)


@machines
@cells
@pytest.mark.parametrize("block_values", [1, 2000])
def test_blocks_of_any_size_say_the_same(machine, name, block_values, monkeypatch):
    monkeypatch.setattr(calls, "BLOCK_VALUES", block_values)
    cell = a_cell(name, 5, 20)
    check(machine, cell, some_ragged([30, 7, 0, 7, 12], 5, dtype=torch.float32), a_state(cell, 5))


@machines
@few_cells
def test_two_thousand_steps_are_as_exact_as_two(machine, name):
    cell = a_cell(name, 4, 16, scale=0.01)
    check(machine, cell, some_ragged([2000, 3], 4, dtype=torch.float32), a_state(cell, 2))


@machines
@cells
def test_saturated_gates_are_exact(machine, name):
    cell = make_cell(name, 4, 16)
    inputs = some_ragged([3, 5], 4, dtype=torch.float32)
    if name == "elman_relu":
        with torch.no_grad():
            cell.weight_hh *= 0.1  # a growing state would amplify every rounding
    check(machine, cell, inputs.with_values(inputs.values * 40), a_state(cell, 2))


@machines
@cells
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_nan_and_infinity_go_where_the_equations_send_them(machine, name, bad):
    cell, inputs = a_cell(name, 3, 17), some_ragged([4, 2, 5], 3, dtype=torch.float32)
    inputs.values[5, 1] = bad  # the second step of the second sequence
    want, wanted = reference.run(cell, inputs, a_state(cell, 3))
    for learns in (True, False):
        with torch.set_grad_enabled(learns):
            got, state = on(machine)(cell, inputs, a_state(cell, 3))
        for one, other in zip((got.values, *state), (want.values, *wanted), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6, equal_nan=True)


@machines
@cells
def test_a_gradient_that_is_not_a_number_stays_in_its_sequence(machine, name):
    cell, inputs = a_cell(name, 3, 17), some_ragged([4, 2, 5], 3, dtype=torch.float32)
    found = []
    for slope in (1.0, torch.nan):
        values = inputs.values.clone().requires_grad_()
        outputs, _ = on(machine)(cell, inputs.with_values(values), a_state(cell, 3))
        slopes = torch.ones_like(outputs.values)
        slopes[5] = slope  # the second step of the second sequence
        found.append(torch.autograd.grad(outputs.values, [values, cell.weight_ih], slopes))
    (want, _), (got, weight) = found
    assert got[4:6].isnan().all()
    assert torch.equal(got[:4], want[:4])
    assert torch.equal(got[6:], want[6:])
    assert weight.isnan().any()


@machines
def test_inputs_may_lie_anywhere_in_memory(machine):
    cell, state = a_cell("lstm", 3, 17), a_state(a_cell("lstm", 3, 17), 2)
    room = noise(1000, seed=1, dtype=torch.float32)
    for start in range(4):  # four bytes on, each time
        values = room[start : start + 21].view(7, 3)
        check(machine, a_cell("lstm", 3, 17), Ragged(values, torch.tensor([3, 4])), state)
    with torch.no_grad():
        whole = noise(7, 6, seed=2, dtype=torch.float32)
        strided, _ = on(machine)(cell, Ragged(whole[:, ::2], torch.tensor([3, 4])), state)
        packed, _ = on(machine)(cell, Ragged(whole[:, ::2].contiguous(), torch.tensor([3, 4])), state)
    assert torch.equal(strided.values, packed.values)


@machines
@cells
def test_weights_states_and_gradients_may_lie_anywhere_in_memory(machine, name):
    cell, inputs = a_cell(name, 3, 17), some_ragged([3, 4], 3, dtype=torch.float32)
    state = a_state(cell, 2)
    want = everything(on(machine), cell, inputs, state)
    for number, weight in enumerate(cell.weights):  # between others, and not on a multiple of eight bytes
        weight.data = strewn(weight.data, number % 4 + 1)

    def run(cell: Cell, inputs: Ragged, state: Any) -> tuple[Ragged, Any]:
        given = cell.state_type(*(strewn(field, 3) for field in state))
        outputs, after = on(machine)(cell, inputs.with_values(strewn(inputs.values, 1)), given)
        return outputs.with_values(strewn(outputs.values, 2)), cell.state_type(*(strewn(field, 1) for field in after))

    got = everything(run, cell, inputs, state)
    for part, tensor in want.items():
        assert torch.equal(got[part], tensor), part


def strewn(values: Tensor, start: int) -> Tensor:
    """The same numbers, apart from each other in memory."""
    room = values.new_zeros(start + 3 * values.numel())[start:]
    return room.view(*values.shape, 3).index_copy(-1, torch.tensor([1]), values.unsqueeze(-1))[..., 1]


@cells
@pytest.mark.parametrize("lengths", [[], [0], [0, 0, 0]])
def test_without_steps_the_states_pass_on_and_so_do_their_gradients(name, lengths):
    cell, inputs = a_cell(name, 3, 17), some_ragged(lengths, 3, dtype=torch.float32)
    state = a_state(cell, len(lengths))
    for run in (on(available()[0]), partial(unroll, kernel="tiles")):
        fields = [field.clone().requires_grad_() for field in state]
        outputs, after = run(cell, inputs, cell.state_type(*fields))
        assert outputs.values.shape == (0, cell.output_size)
        assert all(map(torch.equal, after, fields))
        slopes = torch.autograd.grad(sum(field.sum() for field in after), fields)
        assert all(torch.equal(slope, torch.ones_like(slope)) for slope in slopes)


@machines
@cells
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_run_is_bit_equal_to_the_next(machine, name, threads, monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: threads)
    cell, inputs = a_cell(name, 6, 33), some_ragged([9, 4, 0, 6, 6, 1, 12], 6, dtype=torch.float32)
    first = everything(on(machine), cell, inputs, a_state(cell, 7))
    again = everything(on(machine), cell, inputs, a_state(cell, 7))
    assert all(torch.equal(first[part], again[part]) for part in first)


@machines
@cells
@pytest.mark.parametrize("threads", [2, 3, 9])
def test_any_number_of_threads_says_the_same(machine, name, threads, monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: threads)
    cell = a_cell(name, 6, 33)
    check(machine, cell, some_ragged([9, 4, 0, 6, 6, 1, 12], 6, dtype=torch.float32), a_state(cell, 7))


@machines
@cells
@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (17, 33), (64, 128)])
def test_nothing_is_read_or_written_beyond_a_buffer(machine, name, sizes, monkeypatch):
    cell, inputs = a_cell(name, *sizes), some_ragged([9, 4, 0, 6, 6, 1, 7], sizes[0], dtype=torch.float32)
    want = everything(on(machine), cell, inputs, a_state(cell, 7))
    look_beyond(monkeypatch)
    got = everything(on(machine), cell, inputs, a_state(cell, 7))
    for part, tensor in want.items():
        torch.testing.assert_close(got[part], tensor, rtol=1e-5, atol=1e-6, msg=lambda text, part=part: part + text)


def test_every_pointwise_part_is_some_cells():
    assert {name_of(make_cell(name, 1, 1)) for name in NAMES} == set(POINTWISE)


@given(lengths=some_lengths(max_size=20, longest=30), threads=st.integers(1, 5), rows=st.integers(1, 40))
@settings(deadline=None)
def test_chunks_hold_every_step_once_in_the_order_of_time(lengths, threads, rows):
    chunks = chunks_of(torch.tensor(lengths, dtype=torch.int64), threads, rows)
    assert len(chunks) == min(threads, sum(length > 0 for length in lengths))
    seen = sorted(int(sequence) for chunk in chunks for sequence in chunk.sequences)
    assert seen == [row for row, length in enumerate(lengths) if length]
    begins = np.cumsum(lengths) - lengths
    for chunk in chunks:
        assert list(chunk.lengths) == sorted((lengths[row] for row in chunk.sequences), reverse=True)
        assert list(chunk.firsts) == [begins[row] for row in chunk.sequences]
        assert list(np.diff(chunk.offsets)) == [
            sum(length > t for length in chunk.lengths) for t in range(max(chunk.lengths))
        ]
        assert chunk.blocks[0] == 0
        assert chunk.blocks[-1] == max(chunk.lengths)
        assert max(np.diff(chunk.offsets[chunk.blocks])) == chunk.block_rows
