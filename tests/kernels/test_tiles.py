"""The register tiles equal the exact reference, on every machine that this processor can be."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from random_sequences import noise, seeds, some_lengths, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.kernels import reference
from unrolled.kernels.cpu import autograd, calls
from unrolled.kernels.cpu.layout import chunks_of
from unrolled.kernels.cpu.machine import Machine, available
from unrolled.kernels.cpu.pointwise.registry import POINTWISE, name_of
from unrolled.ragged import Ragged

NAMES = [name for name in CELLS if name_of(make_cell(name, 1, 1))]
TOLERANCE = 2e-6
# a factor close to 1 is itself rounded, 2,000 times; a small deviation that is divided by enlarges every rounding
AMPLIFIES = ("LinearRecurrence", "LayerNormLSTM", "LayerNormGRU")
machines = pytest.mark.parametrize("machine", available(), ids=lambda machine: machine.name)
cells = pytest.mark.parametrize("name", NAMES)


def a_cell(name: str, features: int, hidden_size: int, seed: int = 0, scale: float = 0.1) -> Cell:
    torch.manual_seed(seed)
    cell = make_cell(name, features, hidden_size)
    with torch.no_grad():
        for index, weight in enumerate(cell.parameters()):
            weight += scale * noise(*weight.shape, seed=seed + index, dtype=torch.float32)
    return cell


def everything(run: Any, cell: Cell, inputs: Ragged, state: Any) -> dict[str, Tensor]:
    """Outputs, final states, and the gradients of a random sum of both, in double precision."""
    values = inputs.values.clone().requires_grad_()
    fields = [field.clone().requires_grad_() for field in state]
    outputs, final = run(cell, Ragged(values, inputs.lengths), cell.state_type(*fields))
    found = {"outputs": outputs.values} | {f"final {name}": field for name, field in final._asdict().items()}
    loss = sum((field * noise(*field.shape, seed=7 + i).to(field)).sum() for i, field in enumerate(found.values()))
    leaves = {"inputs": values} | {f"state {i}": field for i, field in enumerate(fields)}
    leaves |= dict(cell.named_parameters())
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    found |= {f"gradient of {name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}
    return {part: tensor.detach().double() for part, tensor in found.items()}


def on(machine: Machine) -> Any:
    return lambda cell, inputs, state: autograd.run(cell, name_of(cell), machine, inputs, state)


def a_state(cell: Cell, batch_size: int, seed: int = 0) -> Any:
    fields = cell.state_type._fields
    return cell.state_type(
        *(noise(batch_size, cell.hidden_size, seed=seed + i, dtype=torch.float32) for i in range(len(fields)))
    )


def check(machine: Machine, cell: Cell, inputs: Ragged, state: Any, least: float = 1e-30) -> None:
    """Relative errors; `least` is a norm below which terms have cancelled out and only the absolute error counts."""
    got = everything(on(machine), cell, inputs, state)
    with torch.no_grad():
        quick, final = on(machine)(cell, inputs, state)
    got |= {"inference": quick.values.double()} | {f"inference {k}": v.double() for k, v in final._asdict().items()}
    rounded = everything(reference.run, cell, inputs, state) if name_of(cell) in AMPLIFIES else {}
    state = cell.state_type(*(field.double() for field in state))
    exact = everything(reference.run, cell.double(), inputs.to(torch.float64), state)
    for found in filter(None, (exact, rounded)):
        found |= {"inference": found["outputs"]} | {f"inference {k}": found[f"final {k}"] for k in final._fields}
    for part, tensor in exact.items():
        error = float((got[part] - tensor).norm() / tensor.norm().clamp(min=least))
        # torch in float32 is not much closer
        usual = float((rounded[part] - tensor).norm() / tensor.norm().clamp(min=least)) if part in rounded else 0.0
        assert error <= max(TOLERANCE, 4 * usual), f"{part}: relative error {error:.1e}"


@machines
@cells
@given(
    lengths=some_lengths(min_size=1, max_size=9, longest=9).filter(any),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    seed=seeds,
)
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
@cells
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
    with torch.no_grad():
        got, _ = on(machine)(cell, inputs, a_state(cell, 3))
        want, _ = reference.run(cell, inputs, a_state(cell, 3))
    assert torch.equal(got.values.isnan(), want.values.isnan())
    assert torch.equal(got.values.isinf(), want.values.isinf())
    rest = ~want.values.isnan() & ~want.values.isinf()
    torch.testing.assert_close(got.values[rest], want.values[rest], rtol=1e-5, atol=1e-6)


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


@cells
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_run_is_bit_equal_to_the_next(name, threads, monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: threads)
    cell, inputs = a_cell(name, 6, 33), some_ragged([9, 4, 0, 6, 6, 1, 12], 6, dtype=torch.float32)
    first = everything(on(available()[0]), cell, inputs, a_state(cell, 7))
    again = everything(on(available()[0]), cell, inputs, a_state(cell, 7))
    assert all(torch.equal(first[part], again[part]) for part in first)


@cells
@pytest.mark.parametrize("threads", [2, 3, 9])
def test_any_number_of_threads_says_the_same(name, threads, monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: threads)
    cell = a_cell(name, 6, 33)
    check(available()[0], cell, some_ragged([9, 4, 0, 6, 6, 1, 12], 6, dtype=torch.float32), a_state(cell, 7))


def guarded(log: list[tuple[Tensor, Tensor]]) -> Any:
    """An `_addresses` that hands out copies of every buffer, in the midst of NaN on both sides."""
    fence = 64

    def addresses(names: Any, given: Any) -> list[int]:
        answer, rooms = [], {}
        for name in names:
            value = given[name]
            if isinstance(value, Tensor) and value.is_floating_point():
                if id(value) not in rooms:  # two names of one buffer stay one
                    room = torch.full((value.numel() + 2 * fence,), torch.nan, dtype=value.dtype)
                    room[fence : fence + value.numel()] = value.reshape(-1)
                    log.append((room, value))
                    rooms[id(value)] = room
                value = rooms[id(value)][fence:]
            answer.append(value if isinstance(value, int) else value.data_ptr())
        return answer

    return addresses


@machines
@cells
@pytest.mark.parametrize("sizes", [(1, 1), (3, 5), (17, 33), (64, 128)])
def test_nothing_is_read_or_written_beyond_a_buffer(machine, name, sizes, monkeypatch):
    cell, inputs = a_cell(name, *sizes), some_ragged([9, 4, 0, 6, 6, 1, 7], sizes[0], dtype=torch.float32)
    want = everything(on(machine), cell, inputs, a_state(cell, 7))
    log: list[tuple[Tensor, Tensor]] = []
    run_all = calls.run_all

    def run_and_look(kernel: Any, arguments: Any) -> None:
        run_all(kernel, arguments)
        for room, value in log:
            assert bool(room[:64].isnan().all())
            assert bool(room[-64:].isnan().all())
            value.copy_(room[64:-64].view_as(value))
        log.clear()

    monkeypatch.setattr(calls, "_addresses", guarded(log))
    monkeypatch.setattr(calls, "run_all", run_and_look)
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 1)
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
