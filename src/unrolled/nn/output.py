"""The contract of an output object, and what several of them share."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import Tensor

from unrolled.errors import ShapeError, message

COLDEST = 1e-30  # a temperature below takes the likeliest alone: nothing else is left at this one


class Output(ABC):
    """What a model's raw numbers mean. `raw` is (M, width) and `targets` has M rows throughout."""

    name: ClassVar[str]
    width: int

    @abstractmethod
    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """The cost of each row, (M,); nats where the output is a probability."""

    @abstractmethod
    def predict(self, raw: Tensor) -> Tensor:
        """The single best answer for each row."""

    @abstractmethod
    def describe(self, raw: Tensor) -> Tensor:
        """The whole answer: probabilities, quantiles, or the numbers themselves."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Constructor arguments, with `"output": name`."""

    def count(self, targets: Tensor) -> float:
        """What a summed loss is divided by; rows, unless a target can be missing."""
        return float(targets.shape[0])


def precise(raw: Tensor) -> Tensor:
    """At least float32: a half-precision model still gets an exact loss, a float64 one keeps its digits."""
    return raw.to(torch.promote_types(raw.dtype, torch.float32))


def same_shape(raw: Tensor, targets: Tensor) -> None:
    """ShapeError for targets that would be broadcast."""
    if raw.shape != targets.shape:
        raise ShapeError(message("targets", expected=f"shape {tuple(raw.shape)}", received=tuple(targets.shape)))
