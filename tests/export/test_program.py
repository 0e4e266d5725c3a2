"""Programs: what a step is recorded as computes what the step does, for every operation that exports have."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import linear, logsigmoid, softplus

from exported import a_batch, a_network, assert_same, exports_of, played, truth
from unrolled.cells.base import Cell
from unrolled.cells.registry import CELLS
from unrolled.errors import UnsupportedError
from unrolled.export.program import PLAIN, record
from unrolled.export.recurrence import NODES
from unrolled.export.runner import OPERATIONS
from unrolled.nn.stack import Recurrent, Stack
from unrolled.shapes import HiddenState, StepInputs, StepOutputs


class OneState(NamedTuple):
    hidden: HiddenState


class Everything(Cell):
    """A cell that nobody has, with every operation that a program has, some of them twice."""

    state_type = OneState
    gates = 2

    def step(self, inputs: StepInputs, state: OneState) -> tuple[StepOutputs, OneState]:
        one, two = linear(inputs, self.weight_ih, self.bias_ih).chunk(2, -1)
        three, four = linear(state.hidden, self.weight_hh).split([self.hidden_size, self.hidden_size], 1)
        joined = torch.maximum(one.sigmoid(), three.tanh()) + torch.minimum(two.relu(), -four.abs()) / 2
        joined = (1 - joined.exp()) * softplus(one) - (two.abs() + 0.5).sqrt() * logsigmoid(three)
        hidden = torch.nn.functional.layer_norm(joined, (self.hidden_size,), self.bias_hh[: self.hidden_size])
        return hidden + one, OneState(hidden)


class Sorting(Everything):
    """A cell with an operation that exports do not have."""

    def step(self, inputs: StepInputs, state: OneState) -> tuple[StepOutputs, OneState]:
        output, after = super().step(inputs, state)
        return output.sort(-1).values, after


def test_a_cell_that_nobody_has_is_exported_from_its_step_alone(tmp_path, monkeypatch):
    monkeypatch.setitem(CELLS, "everything", Everything)
    network = a_network("next step", lambda width: Stack(width, 4, "everything", 2))
    batch = a_batch(network, [3, 0, 5])
    want = truth(network, batch)
    for model in exports_of(network, tmp_path).values():
        assert_same(played(model, batch, [1, 2]), want)


def test_every_operation_is_known_to_both_runtimes_and_in_some_cell():
    assert set(PLAIN.values()) == set(NODES)
    assert set(NODES) | {"split", "layer_norm", "log_sigmoid"} == set(OPERATIONS)
    used = {operation.name for operation in record(Recurrent(Everything(3, 4))).operations}
    assert used == set(OPERATIONS)


def test_an_operation_that_exports_do_not_have_is_named():
    with pytest.raises(UnsupportedError, match=r"no operation aten::sort.*Sorting\.step"):
        record(Recurrent(Sorting(3, 4)))


def test_what_follows_from_weights_alone_is_computed_once():
    program = record(Stack(3, 4, "linear").layers[0])
    assert [operation.name for operation in program.operations] == ["multiply", "matmul", "add", "multiply", "add"]


def test_what_needs_the_inputs_alone_is_told_apart():
    early, late = record(Stack(3, 4, "min_gru").layers[0]).parts()
    assert [operation.name for operation in early] == ["matmul", "add", "split", "sigmoid"]
    assert len(late) == 3


def test_recording_changes_nothing_in_the_layer():
    layer = Stack(3, 4, "lstm").layers[0].train()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    record(layer)
    assert layer.training
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_constants_are_what_the_cell_holds_now():
    layer = Stack(3, 4, "lstm").layers[0]
    constants = record(layer).constants
    kept = {name: array.copy() for name, array in constants.items()}
    with torch.no_grad():
        layer.cell.weight_ih.add_(1)
    assert all(np.array_equal(array, kept[name]) for name, array in constants.items())
    assert not np.array_equal(record(layer).constants["c0"], kept["c0"])
