"""What the tests of the tiles share: cells, the comparison with the exact reference, buffers in the midst of NaN."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from random_sequences import everything, noise, seeds, some_lengths
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.kernels import reference
from unrolled.kernels.cpu import autograd, calls
from unrolled.kernels.cpu.arguments import Argument, Value, addresses
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.ragged import Ragged

NAMES = [name for name in CELLS if name_of(make_cell(name, 1, 1))]
TOLERANCE = 2e-6
# how many times the largest of torch's own errors in float32, as one of them may be small by chance: a factor close
# to 1 is itself rounded, 2,000 times; a small deviation that is divided by enlarges every rounding
AMPLIFIES = {"LinearRecurrence": 2, "LayerNormLSTM": 10, "LayerNormGRU": 10}
QUICK = ("lstm", "gru", "elman")
cells = pytest.mark.parametrize("name", NAMES)
few_cells = pytest.mark.parametrize(  # the others are slow tests
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in NAMES]
)
random_runs = given(
    lengths=some_lengths(min_size=1, max_size=9, longest=9).filter(any),
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 70)),
    seed=seeds,
)


def a_cell(name: str, features: int, hidden_size: int, seed: int = 0, scale: float = 0.1) -> Cell:
    torch.manual_seed(seed)
    cell = make_cell(name, features, hidden_size)
    with torch.no_grad():
        for index, weight in enumerate(cell.parameters()):
            weight += scale * noise(*weight.shape, seed=seed + index, dtype=torch.float32)
    return cell


def on(machine: Machine, pairs: bool = False) -> Any:
    return lambda cell, inputs, state: autograd.run(cell, name_of(cell), machine, inputs, state, pairs)


def a_state(cell: Cell, batch_size: int, seed: int = 0) -> Any:
    widths = enumerate(cell.state_sizes.values())
    return cell.state_type(*(noise(batch_size, width, seed=seed + i, dtype=torch.float32) for i, width in widths))


def check(machine: Machine, cell: Cell, inputs: Ragged, state: Any, least: float = 1e-30) -> None:
    """Relative errors; `least` is a norm below which terms have cancelled out and only the absolute error counts."""
    got = everything(on(machine), cell, inputs, state)
    with torch.no_grad():
        quick, final = on(machine)(cell, inputs, state)
    got |= {"inference": quick.values} | {f"inference {k}": v for k, v in final._asdict().items()}
    factor = AMPLIFIES.get(name_of(cell), 0)
    rounded = everything(reference.run, cell, inputs, state) if factor else {}
    state = cell.state_type(*(field.double() for field in state))
    exact = everything(reference.run, cell.double(), inputs.to(torch.float64), state)
    for found in filter(None, (exact, rounded)):
        found |= {"inference": found["outputs"]} | {f"inference {k}": found[f"final {k}"] for k in final._fields}
    usual = max(
        (_relative(rounded[part], tensor, least) for part, tensor in exact.items() if part in rounded), default=0
    )
    for part, tensor in exact.items():
        error = _relative(got[part], tensor, least)
        assert error <= max(TOLERANCE, factor * usual), f"{part}: relative error {error:.1e}, torch's {usual:.1e}"


def _relative(found: Tensor, exact: Tensor, least: float) -> float:
    return float((found - exact).norm() / exact.norm().clamp(min=least))


def guarded(log: list[tuple[Tensor, Tensor]]) -> Callable[..., list[int]]:
    """An `addresses` that passes copies of every buffer, in the midst of NaN on both sides."""
    fence = 64

    def fenced(arguments: Sequence[Argument], given: Mapping[Argument, Value]) -> list[int]:
        copies, rooms = {}, {}
        for argument, value in given.items():
            copies[argument] = value
            if isinstance(value, Tensor) and value.is_floating_point():
                if id(value) not in rooms:  # two names of one buffer stay one
                    room = torch.full((value.numel() + 2 * fence,), torch.nan, dtype=value.dtype)
                    room[fence : fence + value.numel()] = value.reshape(-1)
                    log.append((room, value))
                    rooms[id(value)] = room
                copies[argument] = rooms[id(value)][fence:]
        return addresses(arguments, copies)

    return fenced


def look_beyond(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on every buffer lies in the midst of NaN, which must still be there after each call."""
    log: list[tuple[Tensor, Tensor]] = []
    run_all = calls.run_all

    def run_and_look(*given: Any) -> None:
        run_all(*given)
        for room, value in log:
            assert bool(room[:64].isnan().all())
            assert bool(room[-64:].isnan().all())
            value.copy_(room[64:-64].view_as(value))
        log.clear()

    monkeypatch.setattr(calls, "addresses", guarded(log))
    monkeypatch.setattr(calls, "run_all", run_and_look)
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 1)
