"""The run-time shape checks are switched on, and they see what they should."""

import pytest
import torch
from jaxtyping import TypeCheckError, jaxtyped

from shape_checker import check
from unrolled.cells.registry import CELLS
from unrolled.ragged import Ragged
from unrolled.shapes import StepInputs, StepOutputs


@pytest.mark.parametrize("make", CELLS.values(), ids=CELLS.keys())
def test_a_step_on_inputs_of_the_wrong_rank_or_dtype_is_caught(make):
    cell = make(3, 4)
    cell.step(torch.zeros(2, 3), cell.initial_state(2))
    for wrong in (torch.zeros(2, 5, 3), torch.zeros(2, 3, dtype=torch.int64)):
        with pytest.raises(TypeCheckError):
            cell.step(wrong, cell.initial_state(2))


def test_an_axis_has_one_size_throughout_a_call():
    @jaxtyped(typechecker=check)
    def first_rows(inputs: StepInputs, count: int) -> StepOutputs:
        return inputs[:count]

    assert first_rows(torch.zeros(2, 3), 2).shape == (2, 3)
    with pytest.raises(TypeCheckError):
        first_rows(torch.zeros(2, 3), 1)


def test_only_shapes_are_checked_and_only_in_the_tensor_rooms():
    @jaxtyped(typechecker=check)
    def named(name: str, inputs: StepInputs) -> str:
        return f"{name} {tuple(inputs.shape)}"

    assert named(3, torch.zeros(2, 3)) == "3 (2, 3)"
    assert Ragged(torch.zeros(3), [1, 2]).lengths.tolist() == [1, 2]  # a list where the alias says tensor
