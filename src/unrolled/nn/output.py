"""The base class of output objects, and shared helpers."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from unrolled.errors import ShapeError, message

COLDEST = 1e-30  # a temperature below this is 0: always the likeliest


class Output(ABC):
    """The meaning of a model's raw numbers. `raw` is (M, width) and `targets` has M rows throughout."""

    name: ClassVar[str]
    width: int

    @abstractmethod
    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Compute the loss of each row, (M,); in nats where the output is a probability."""

    @abstractmethod
    def predict(self, raw: Tensor) -> Tensor:
        """Return the single best answer for each row."""

    @abstractmethod
    def describe(self, raw: Tensor) -> Tensor:
        """Return the full answer: probabilities, quantiles, or the numbers themselves."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the constructor arguments, with `"output": name`."""

    def count(self, targets: Tensor) -> float:
        """Return the divisor of a summed loss: the number of rows, unless targets can be missing."""
        return float(targets.shape[0])


def precise(raw: Tensor) -> Tensor:
    """Convert to at least float32, so that a half-precision model still gets an exact loss."""
    return raw.to(torch.promote_types(raw.dtype, torch.float32))


def same_shape(raw: Tensor, targets: Tensor) -> None:
    """Refuse targets that would be broadcast."""
    if raw.shape != targets.shape:
        raise ShapeError(message("targets", expected=f"shape {tuple(raw.shape)}", received=tuple(targets.shape)))
