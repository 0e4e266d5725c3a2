"""The law of extremes, for every cell and every kernel: however large, small or broken a number is, the answer holds.

Where the reference in float64 is finite, ours is finite and close; where it is NaN, ours is NaN; where it is infinite,
ours is no finite number. That holds for outputs, states and gradients.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from crossing import crossed, spread
from kernels.tile_checks import NAMES as TILED
from kernels.tile_checks import on
from random_sequences import everything, noise, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS, make_cell
from unrolled.kernels import native, reference
from unrolled.kernels.cpu.machine import available
from unrolled.ragged import Ragged

BROKEN = (torch.inf, -torch.inf, torch.nan)
FINITE = (0.0, 1e-40, 1e-3, 1.0, 4.0, 17.0, 88.0, 89.0, 100.0, 110.0, 200.0, 500.0)
EXTREMES = torch.tensor([sign * size for size in FINITE for sign in (1, -1)] + [torch.inf, -torch.inf])
NORMED = ("lstm_layer_norm", "gru_layer_norm")
UNITS = 401  # no multiple of a vector
SIZES = (1, 3, 16, 33)
MACHINES = available()


def runs_of(cell: Cell, name: str) -> dict[str, Any]:
    """Every kernel that has this cell, in float32, by name."""
    runs = {"reference": reference.run}
    if cell.torch_layer:
        runs["native"] = native.run
    if name in TILED:
        runs |= {f"tiles on {machine.name}": on(machine) for machine in MACHINES}
    return runs


KERNELS = [(name, kernel) for name in CELLS for kernel in runs_of(make_cell(name, 1, 1), name)]


def pairs_of(*names: str, **more: Any) -> Any:
    """Each of these cells with each of its kernels, quickly with one of the further values, slowly with all."""
    chosen = [pair for pair in KERNELS if pair[0] in names]
    return pytest.mark.parametrize(("name", "kernel", *more), spread(crossed(chosen, *more.values())))


def exact(cell: Cell, inputs: Ragged, state: Any) -> dict[str, Tensor]:
    """What the reference says in float64."""
    found = everything(
        reference.run, cell.double(), inputs.to(torch.float64), type(state)(*(f.double() for f in state))
    )
    cell.float()
    return found


def agree(got: dict[str, Tensor], want: dict[str, Tensor], tolerance: float = 1e-4) -> None:
    """The law, for each part."""
    for part, right in want.items():
        ours, finite = got[part].double(), right.isfinite()
        assert ours[finite].isfinite().all(), f"{part}: {int((~ours[finite].isfinite()).sum())} finite numbers lost"
        assert ours[right.isnan()].isnan().all(), f"{part}: numbers where there are none"
        assert not ours[right.isinf()].isfinite().any(), f"{part}: finite numbers in place of infinities"
        scale = right[finite].abs().clamp(min=1.0)
        error = float(((ours[finite] - right[finite]).abs() / scale).max()) if bool(finite.any()) else 0.0
        assert error <= tolerance, f"{part}: error {error:.1e}"


def drawn(count: int, seed: int) -> Tensor:
    """So many of the extremes."""
    return EXTREMES[torch.randint(len(EXTREMES), (count,), generator=torch.Generator().manual_seed(seed))]


def whose_sums_are_extreme(name: str, seed: int = 0) -> Cell:
    """A cell whose every sum is an extreme where its only feature is 1: units pair all of them at random."""
    torch.manual_seed(seed)
    cell = make_cell(name, 1, UNITS)
    with torch.no_grad():
        for weight in cell.parameters():
            weight.zero_()
        cell.weight_ih.copy_(drawn(len(cell.weight_ih), seed)[:, None])
        for key in ("weight_hr", "peephole_input", "peephole_forget", "peephole_output"):
            if key in cell.weight_shapes:
                getattr(cell, key).copy_(noise(*getattr(cell, key).shape, seed=seed, dtype=torch.float32))
        if "decay" in cell.weight_shapes:
            cell.decay.copy_(drawn(UNITS, seed + 1))
    return cell


def state_of(cell: Cell, batch_size: int) -> Any:
    fields = (noise(batch_size, size, seed=size, dtype=torch.float32) for size in cell.state_sizes.values())
    return cell.state_type(*fields)


@pairs_of(*(name for name in CELLS if name not in NORMED))
def test_any_sums_of_a_step_give_the_right_state_and_gradients(name, kernel):
    cell = whose_sums_are_extreme(name)
    if name == "lstm_projected":  # one broken unit breaks every number that is shown
        with torch.no_grad():
            cell.weight_ih.nan_to_num_(posinf=500.0, neginf=-500.0)
    inputs, state = Ragged(torch.ones(2, 1), [1, 1]), state_of(cell, 2)
    got, want = everything(runs_of(cell, name)[kernel], cell, inputs, state), exact(cell, inputs, state)
    agree(got, want)


@pytest.mark.parametrize("kernel", runs_of(make_cell("min_lstm", 1, 1), "min_lstm"))
def test_of_two_shut_gates_the_one_that_is_shut_less_decides(kernel):
    store, forget = torch.meshgrid(EXTREMES, EXTREMES, indexing="ij")
    cell = make_cell("min_lstm", 1, store.numel())
    with torch.no_grad():
        cell.weight_ih.copy_(torch.cat([store.flatten(), forget.flatten(), torch.ones(store.numel())])[:, None])
    inputs, state = Ragged(torch.ones(3, 1), [3]), cell.initial_state(1)
    got = everything(runs_of(cell, "min_lstm")[kernel], cell, inputs, state)
    agree(got, exact(cell, inputs, state))
    place = list(zip(store.flatten().tolist(), forget.flatten().tolist(), strict=True)).index((-100.0, -110.0))
    assert float(got["outputs"][0, place]) == pytest.approx(0.99995, abs=1e-5)  # .5 from gates that are 0 in float32


@pairs_of(*NORMED, drive=[0.0, 1e-40, 1.0, 500.0, 1e6])
def test_a_normalisation_of_equal_values_gives_zeros(name, kernel, drive):
    cell = make_cell(name, 1, 37)
    with torch.no_grad():
        cell.weight_ih.fill_(1.0)
    inputs, state = Ragged(torch.full((3, 1), drive), [2, 1]), state_of(cell, 2)
    got, want = everything(runs_of(cell, name)[kernel], cell, inputs, state), exact(cell, inputs, state)
    agree({"outputs": got["outputs"]}, {"outputs": want["outputs"]})
    assert all(bool(got[part].isfinite().all()) for part in got)


@pairs_of(*CELLS, scale=[1e-38, 1e-20, 30.0, 500.0])
def test_inputs_of_any_size_give_the_right_answers(name, kernel, scale):
    cell = make_cell(name, 4, 17)
    inputs = some_ragged([3, 0, 1], 4, dtype=torch.float32)
    inputs, state = inputs.with_values(inputs.values * scale), state_of(cell, 3)
    got, want = everything(runs_of(cell, name)[kernel], cell, inputs, state), exact(cell, inputs, state)
    largest = max(1.0, scale)  # of what a state without bounds or a gradient of weights can grow with
    agree(*({part: found[part] / largest for part in want} for found in (got, want)), tolerance=1e-3)


@pairs_of(*CELLS, hidden_size=SIZES)
def test_a_broken_number_spoils_what_depends_on_it_and_nothing_else(name, kernel, hidden_size):
    torch.manual_seed(hidden_size)
    cell = make_cell(name, 3, hidden_size)
    run, lengths, state = runs_of(cell, name)[kernel], [4, 2, 0, 5], state_of(cell, 4)
    whole = some_ragged(lengths, 3, dtype=torch.float32)
    clean = everything(run, cell, whole, state)
    others = torch.tensor([True, False, True, True])
    their_steps = others.repeat_interleave(torch.tensor(lengths))
    for bad in BROKEN:
        inputs = whole.with_values(whole.values.clone())
        inputs.values[5, 1] = bad  # the last step of the second sequence
        got, want = everything(run, cell, inputs, state), exact(cell, inputs, state)
        for part, right in want.items():
            assert torch.equal(got[part].isfinite(), right.isfinite()), f"{part} with {bad}"
            if part in ("outputs", "gradient of inputs"):
                rows = their_steps
            elif part.startswith(("final", "gradient of state")):
                rows = others
            else:
                continue
            assert torch.equal(got[part][rows], clean[part][rows]), f"{part} of other sequences with {bad}"
