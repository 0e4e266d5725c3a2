"""What the checks of a model lean on: asking it, changing its inputs, comparing its answers."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.errors import DataError, message
from unrolled.ragged import Ragged
from unrolled.training.isolation import Apart

Model = Callable[..., Any]
TOLERANCE = 1e-4  # float32 sums in another order differ by some 1e-6; a fault by far more


def need(inputs: Ragged, holds: bool, expected: str) -> None:
    """Refuse inputs on which a check would see nothing."""
    if not holds:
        raise DataError(message("inputs", expected=expected, received=repr(inputs), remedy="pass a larger batch"))


# ---- asking ------------------------------------------------------------------------------------------


@contextmanager
def calm(model: Model) -> Generator[None]:
    """No gradients, and evaluation mode where the model is a module; its mode comes back afterwards."""
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
    """What the model answers, with the same random numbers each time, so that noise is not taken for a fault."""
    with Apart(0).drawing():
        return model(*arguments)


def answers(model: Model, *arguments: Any) -> Any:
    """The outputs alone, where the model returns a state beside them."""
    result = ask(model, *arguments)
    return result[0] if isinstance(result, tuple) else result


def step_answers(model: Model, inputs: Ragged) -> Ragged:
    """The outputs of a model that answers at every step."""
    outputs = answers(model, inputs)
    if not isinstance(outputs, Ragged) or not torch.equal(outputs.lengths, inputs.lengths):
        expected = "a model that answers at every step, with a Ragged"
        received = repr(outputs) if isinstance(outputs, Ragged) else type(outputs).__name__
        raise DataError(message("model", expected=expected, received=received))
    return outputs


# ---- changing ----------------------------------------------------------------------------------------


def other_values(inputs: Ragged) -> Tensor:
    """Values of the same kind, each different from the one in its place: (N, *feature)."""
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
    """The inputs with other values at the steps where the condition (N,) holds."""
    return inputs.with_values(torch.where(where.view(-1, *[1] * (others.ndim - 1)), others, inputs.values))


# ---- comparing ---------------------------------------------------------------------------------------


def filled_rows(inputs: Ragged) -> list[int]:
    """The sequences that have steps."""
    return inputs.lengths.nonzero().flatten().tolist()


def real_parts(outputs: Tensor, inputs: Ragged) -> list[Tensor]:
    """What a padded answer says of each sequence: its real steps of (B, T, width), or its row of (B, width)."""
    per_step = outputs.ndim > 2
    lengths = inputs.lengths.tolist()
    return [row[:length] if per_step else row for row, length in zip(outputs, lengths, strict=True)]


def scale_of(*values: Tensor) -> float:
    """What a difference is measured by: the largest value, or 1 where all are smaller."""
    return max(1.0, *(float(value.abs().max()) for value in values if value.numel()))


def row_gaps(one: Tensor, other: Tensor) -> Tensor:
    """The largest difference in each row; infinite where only one is a number: (M, ...) to (M,)."""
    one, other = (values.double().reshape(len(values), -1) for values in (one, other))
    same = (one == other) | (one.isnan() & other.isnan())
    gaps = (one - other).abs().masked_fill(same, 0.0)
    return gaps.nan_to_num(nan=torch.inf).amax(1)


def gap_between(one: Tensor, other: Tensor) -> float:
    """The largest difference between two tensors of one shape."""
    return float(row_gaps(one[None], other[None])[0]) if one.numel() else 0.0


def worst(gaps: dict[int, float]) -> tuple[int, float]:
    """The sequence whose answer differs most, and by how much."""
    return max(gaps.items(), key=lambda item: item[1])
