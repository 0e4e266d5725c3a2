"""Helpers of the model checks: calling a model, changing its inputs, comparing its answers."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.errors import DataError, message
from unrolled.ragged import Ragged
from unrolled.training.isolation import Apart

Model = Callable[..., Any]
TOLERANCE = 1e-4  # float32 sums in another order differ by about 1e-6; an error by far more


def need(inputs: Ragged, holds: bool, expected: str) -> None:
    """Refuse inputs on which a check would be useless."""
    if not holds:
        raise DataError(message("inputs", expected=expected, received=repr(inputs), remedy="pass a larger batch"))


# ---- asking ------------------------------------------------------------------------------------------


@contextmanager
def calm(model: Model) -> Generator[None]:
    """Turn gradients off, and put a module into evaluation mode; its mode is restored afterwards."""
    training = [module for module in model.modules() if module.training] if isinstance(model, nn.Module) else []
    for module in training:
        module.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def ask(model: Model, *arguments: Any) -> Any:
    """Call the model with the same random numbers each time, so that noise is not mistaken for an error."""
    with Apart(0).drawing():
        return model(*arguments)


def answers(model: Model, *arguments: Any) -> Any:
    """Call the model and return its outputs without the state."""
    result = ask(model, *arguments)
    return result[0] if isinstance(result, tuple) else result


def step_answers(model: Model, inputs: Ragged) -> Ragged:
    """Call a model that must give an output at every step."""
    outputs = answers(model, inputs)
    if not isinstance(outputs, Ragged) or not torch.equal(outputs.lengths, inputs.lengths):
        expected = "a model that answers at every step, with a Ragged"
        received = repr(outputs) if isinstance(outputs, Ragged) else type(outputs).__name__
        raise DataError(message("model", expected=expected, received=received))
    return outputs


# ---- changing ----------------------------------------------------------------------------------------


def other_values(inputs: Ragged) -> Tensor:
    """Return other values of the same kind, each different from the original: (N, *feature)."""
    values = inputs.values
    if values.is_floating_point():
        noise = torch.randn(values.shape, generator=torch.Generator().manual_seed(0))
        return values + noise.to(values) * scale_of(values)
    if values.dtype == torch.bool:
        return ~values
    distinct = values.unique()
    need(inputs, len(distinct) > 1, "at least two distinct values")
    return distinct[(torch.searchsorted(distinct, values) + 1) % len(distinct)]  # the next one that occurs


def replace_steps(inputs: Ragged, where: Tensor, others: Tensor) -> Ragged:
    """Replace the inputs at the steps where the condition (N,) holds."""
    return inputs.with_values(torch.where(where.view(-1, *[1] * (others.ndim - 1)), others, inputs.values))


# ---- comparing ---------------------------------------------------------------------------------------


def filled_rows(inputs: Ragged) -> list[int]:
    """Return the indices of the sequences that have steps."""
    return inputs.lengths.nonzero().flatten().tolist()


def real_parts(outputs: Tensor, inputs: Ragged) -> list[Tensor]:
    """Split a padded answer by sequence: its real steps of (B, T, width), or its row of (B, width)."""
    per_step = outputs.ndim > 2
    lengths = inputs.lengths.tolist()
    return [row[:length] if per_step else row for row, length in zip(outputs, lengths, strict=True)]


def scale_of(*values: Tensor) -> float:
    """Return the scale of differences: the largest value, or 1 where all are smaller."""
    return max(1.0, *(float(value.abs().max()) for value in values if value.numel()))


def row_gaps(one: Tensor, other: Tensor) -> Tensor:
    """Return the largest difference in each row; infinite where only one is a number: (M, ...) to (M,)."""
    one, other = (values.double().reshape(len(values), -1) for values in (one, other))
    same = (one == other) | (one.isnan() & other.isnan())
    gaps = (one - other).abs().masked_fill(same, 0.0)
    return gaps.nan_to_num(nan=torch.inf).amax(1)


def gap_between(one: Tensor, other: Tensor) -> float:
    """Return the largest difference between two tensors of one shape."""
    return float(row_gaps(one[None], other[None])[0]) if one.numel() else 0.0


def worst(gaps: dict[int, float]) -> tuple[int, float]:
    """Return the sequence whose answer differs most, and the difference."""
    return max(gaps.items(), key=lambda item: item[1])
