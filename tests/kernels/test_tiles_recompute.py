"""Long sequences on the tiles: what is computed again equals what would have been kept, and takes far less memory."""

from typing import Any

import pytest
import torch
from torch import Tensor

from kernels.tile_checks import TOLERANCE, a_cell, a_state, cells
from random_sequences import everything, noise, some_ragged
from unrolled.cells.base import Cell
from unrolled.kernels import reference
from unrolled.kernels.cpu import calls
from unrolled.nn import recompute
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

LENGTHS = [37, 0, 60, 1, 60, 12]


def tiles(cell: Cell, inputs: Ragged, state: Any, again: bool | None = True) -> tuple[Ragged, Any]:
    return unroll(cell, inputs, state, kernel="tiles", recompute=again)


def kept(cell: Cell, inputs: Ragged, again: bool | None, **options: Any) -> int:
    """Bytes that autograd keeps beside inputs, parameters and outputs."""
    found: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        found[tensor.data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs, _ = unroll(cell, inputs, kernel="tiles", recompute=again, **options)
    for known in (inputs.values, outputs.values, *cell.parameters()):
        found.pop(known.data_ptr(), None)
    return sum(tensor.untyped_storage().nbytes() for tensor in found.values())


@pytest.fixture
def short_stretches(monkeypatch):
    monkeypatch.setattr(recompute, "ROOTS", 1)


@cells
@pytest.mark.parametrize("lengths", [LENGTHS, [300], [1]])
def test_outputs_and_final_states_are_bit_for_bit_those_of_keeping_everything(short_stretches, name, lengths):
    cell = a_cell(name, 3, 21)
    inputs, state = some_ragged(lengths, 3, dtype=torch.float32), a_state(cell, len(lengths))
    (want, last), (got, final) = (tiles(cell, inputs, state, again) for again in (False, True))
    assert torch.equal(got.values, want.values)
    for field, other in zip(final, last, strict=True):
        assert torch.equal(field, other)


@pytest.mark.parametrize("name", ["lstm", "gru", "elman", "lstm_peephole", "min_gru"])
@pytest.mark.parametrize("lengths", [LENGTHS, [300]])
def test_gradients_are_as_close_to_exact_as_when_everything_is_kept(short_stretches, name, lengths):
    cell = a_cell(name, 3, 21)
    inputs, state = some_ragged(lengths, 3, dtype=torch.float32), a_state(cell, len(lengths))
    got = everything(tiles, cell, inputs, state)
    before = cell.state_type(*(field.double() for field in state))
    exact = everything(reference.run, cell.double(), inputs.to(torch.float64), before)
    for part, tensor in exact.items():
        error = float((got[part] - tensor).norm() / tensor.norm())
        assert error <= TOLERANCE, f"{part}: relative error {error:.1e}"


def test_gradients_of_final_states_alone_reach_the_first_stretch(short_stretches):
    cell, inputs = a_cell("lstm", 3, 5), some_ragged(LENGTHS, 3, dtype=torch.float32)
    found = []
    for again in (False, True):
        start = cell.state_type(*(field.requires_grad_() for field in a_state(cell, len(LENGTHS))))
        _, final = tiles(cell, inputs, start, again)
        found.append(torch.autograd.grad(final.cell.sum(), [*start, cell.weight_hh]))
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
    assert torch.equal(found[1][1][1], torch.ones(5))  # the empty sequence


def test_a_failure_half_way_leaves_the_graph_and_the_cell_as_they_were(short_stretches, monkeypatch):
    cell, inputs = a_cell("lstm", 3, 5), some_ragged(LENGTHS, 3, dtype=torch.float32)
    weights = list(cell.parameters())
    loss = tiles(cell, inputs, a_state(cell, len(LENGTHS)))[0].values.square().sum()
    want = torch.autograd.grad(loss, weights, retain_graph=True)
    backward, turns = calls.backward, iter(range(100))

    def fail(*given: Any) -> Any:
        assert all(one is other for one, other in zip(cell.parameters(), weights, strict=True))
        if next(turns) == 3:
            raise MemoryError
        return backward(*given)

    monkeypatch.setattr(calls, "backward", fail)
    with pytest.raises(MemoryError):
        torch.autograd.grad(loss, weights, retain_graph=True)
    monkeypatch.setattr(calls, "backward", backward)
    for got, first in zip(torch.autograd.grad(loss, weights), want, strict=True):
        assert torch.equal(got, first)


def test_twenty_thousand_steps_keep_less_than_a_twentieth():
    cell, inputs = a_cell("lstm", 8, 32), Ragged(noise(20_000, 8, dtype=torch.float32), torch.tensor([20_000]))
    everything_kept = kept(cell, inputs, again=False)
    assert everything_kept >= 5 * 32 * 4 * 20_000
    assert kept(cell, inputs, again=True) <= everything_kept / 20


def test_what_would_be_kept_is_told_beforehand():
    for name in ("lstm", "elman", "min_gru", "lstm_peephole"):
        cell, inputs = a_cell(name, 3, 32), some_ragged([500], 3, dtype=torch.float32)
        assert kept(cell, inputs, again=False) == pytest.approx(500 * recompute.kept_bytes(cell), rel=0.35)


def test_a_layer_recomputes_by_itself_above_the_budget(monkeypatch):
    cell, inputs = a_cell("lstm", 3, 32), some_ragged([1000, 400], 3, dtype=torch.float32)
    stored, again = (kept(cell, inputs, again=given) for given in (False, True))
    monkeypatch.setattr(recompute, "BUDGET", 1400 * recompute.kept_bytes(cell))
    assert kept(cell, inputs, again=None) == stored
    monkeypatch.setattr(recompute, "BUDGET", recompute.BUDGET - 1)
    assert kept(cell, inputs, again=None) == again < stored
    assert kept(cell, inputs, again=False) == stored


def test_many_short_sequences_are_kept_since_stretches_would_save_little(monkeypatch):
    monkeypatch.setattr(recompute, "BUDGET", 0)
    cell, inputs = a_cell("lstm", 3, 32), some_ragged([50] * 20, 3, dtype=torch.float32)
    assert kept(cell, inputs, again=None) == kept(cell, inputs, again=False)


def test_restarts_make_short_sequences_of_a_long_one(monkeypatch):
    monkeypatch.setattr(recompute, "BUDGET", 0)
    cell, inputs = a_cell("lstm", 3, 32), some_ragged([1000], 3, dtype=torch.float32)
    reset = torch.arange(1000) % 50 == 0
    stored, itself = (kept(cell, inputs, again=again, reset=reset) for again in (False, None))
    assert itself == stored


def test_graphs_transforms_and_inference_never_recompute_by_themselves(monkeypatch):
    monkeypatch.setattr(recompute, "BUDGET", 0)
    cell, inputs = a_cell("elman", 3, 5), some_ragged([400], 3, dtype=torch.float32)
    before = cell.initial_state(1)

    def run(values: Tensor, kernel: str = "auto", again: bool | None = None) -> Tensor:
        given = Ragged(values, inputs.lengths)
        return unroll(cell, given, before, kernel=kernel, recompute=again)[0].values.square().sum()

    leaf = inputs.values.clone().requires_grad_()
    want = run(leaf, again=False)
    (slope,) = torch.autograd.grad(want, leaf)
    with monkeypatch.context() as patched:
        patched.setattr("unrolled.nn.unroll.in_stretches", lambda *_: pytest.fail("in stretches"))
        with torch.no_grad():
            torch.testing.assert_close(run(inputs.values), want.detach())
        torch.testing.assert_close(torch.compile(run, backend="eager", fullgraph=True)(leaf), want)
        with torch.autograd.forward_ad.dual_level():
            torch.testing.assert_close(run(inputs.values), want)
        torch.testing.assert_close(torch.func.grad(lambda values: run(values, "reference"))(inputs.values), slope)
        with pytest.raises(pytest.fail.Exception, match="in stretches"):
            run(leaf)
