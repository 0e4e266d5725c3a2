"""Which kernel runs, and why another does not."""

from types import SimpleNamespace
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from random_sequences import assert_close, some_ragged
from unrolled.cells.base import Cell
from unrolled.cells.lstm import LSTMCell
from unrolled.cells.registry import make_cell
from unrolled.errors import OptionError, UnsupportedError
from unrolled.kernels.choose import KERNELS, choose
from unrolled.kernels.cpu import kernel as tiles
from unrolled.nn.unroll import unroll

INPUTS = some_ragged([2, 3], 3, dtype=torch.float32)


class CounterState(NamedTuple):
    """How much was seen."""

    hidden: Tensor


class Counter(Cell):
    """Sums its inputs; torch has no such layer."""

    state_type = CounterState
    gates = 1

    def step(self, inputs: Tensor, state: CounterState) -> tuple[Tensor, CounterState]:
        hidden = state.hidden + inputs
        return hidden, CounterState(hidden)


def test_the_fastest_kernel_that_can_is_chosen():
    assert choose(LSTMCell(3, 4), INPUTS) == ("tiles", {})
    assert choose(LSTMCell(3, 4).double(), some_ragged([2], 3)).name == "native"
    assert choose(LSTMCell(3, 4), INPUTS, "reference") == ("reference", {})
    assert list(KERNELS)[-1] == "reference"


def test_a_processor_without_known_vectors_leaves_the_work_to_torch(monkeypatch):
    monkeypatch.setattr(tiles, "HAS_VECTORS", False)
    for name, instead in (("lstm", "native"), ("min_lstm", "reference")):
        name, refused = choose(make_cell(name, 3, 4), INPUTS)
        assert name == instead
        assert "SSE2 and NEON, and this processor none of them" in refused["tiles"]


def test_a_cell_that_torch_does_not_have_runs_by_its_step():
    cell = Counter(3, 3)
    assert choose(cell, INPUTS) == (
        "reference",
        {"tiles": "the tiles have no Counter", "native": "torch has no layer for Counter"},
    )
    outputs, state = unroll(cell, INPUTS)
    assert_close(state.hidden, torch.stack([sequence.sum(0) for sequence in INPUTS]), 1e-5)
    assert_close(outputs[1], INPUTS[1].cumsum(0), 1e-5)


def test_a_kernel_asked_for_by_name_says_why_it_cannot_run():
    reason = "kernel 'native' cannot run here: torch has no layer for Counter; use kernel='auto'"
    with pytest.raises(UnsupportedError, match=reason):
        choose(Counter(3, 3), INPUTS, "native")
    with pytest.raises(UnsupportedError, match=r"inputs are torch.float64, weights torch.float32"):
        choose(LSTMCell(3, 4), some_ragged([2], 3), "native")
    with pytest.raises(UnsupportedError, match=r"the tiles take float32"):
        choose(LSTMCell(3, 4), some_ragged([2], 3), "tiles")
    with torch.autocast("cpu", dtype=torch.float16), pytest.raises(UnsupportedError, match="autocast is to"):
        choose(LSTMCell(3, 4), INPUTS, "tiles")


def test_an_unknown_kernel_is_answered_with_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'native'"):
        choose(LSTMCell(3, 4), INPUTS, "nativ")


def test_when_every_kernel_refuses_the_error_names_all_reasons(monkeypatch):
    monkeypatch.setattr("unrolled.kernels.choose.KERNELS", {"a": SimpleNamespace(refuses=lambda *given: "tired")})
    with pytest.raises(UnsupportedError, match=r"no kernel runs LSTM: \{'a': 'tired'\}"):
        choose(LSTMCell(3, 4), INPUTS)
