"""Output objects: each defines its width, its legal targets, its loss and the decoding of raw numbers.

A model ends in a linear layer of `output.width`; the output object does everything after that.
A new output is one class here, and the task that uses it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    huber_loss,
    l1_loss,
    mse_loss,
)

from unrolled.errors import OptionError, finite_number, message, share_number, unknown
from unrolled.nn.output import Output, precise, same_shape

IGNORED = -100  # a missing class, without loss and not counted; torch's `ignore_index`


class ClassOutput(Output):
    """One of `size` classes; softmax and cross-entropy.

    Args:
        size: number of classes, V.
        weights: one weight per class, or None for equal weights.
        label_smoothing: share of the probability spread over all classes in the loss.
    """

    name = "class"

    def __init__(self, size: int, weights: Sequence[float] | None = None, label_smoothing: float = 0.0) -> None:
        if size < 2:
            raise OptionError(message("size", expected="at least 2 classes", received=size))
        if weights is not None and len(weights) != size:
            raise OptionError(message("weights", expected=f"{size} class weights", received=f"{len(weights)}"))
        label_smoothing = share_number("label_smoothing", label_smoothing)
        self.width = self.size = size
        self.weights = None if weights is None else [float(w) for w in weights]
        self.label_smoothing = label_smoothing

    def _weights(self, like: Tensor) -> Tensor | None:
        return None if self.weights is None else torch.tensor(self.weights, dtype=like.dtype, device=like.device)

    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Compute the negative log probability of the true class, times its weight: (M, V), (M,) to (M,)."""
        raw = precise(raw)
        return cross_entropy(raw, targets, self._weights(raw), reduction="none", label_smoothing=self.label_smoothing)

    def count(self, targets: Tensor) -> float:
        """Count rows with a target, each with its class weight."""
        known = targets[targets != IGNORED]
        weights = self._weights(torch.zeros((), device=targets.device))
        return float(len(known)) if weights is None else float(weights[known].sum())

    def predict(self, raw: Tensor) -> Tensor:
        """Return the most probable class, (M,)."""
        return raw.argmax(1)

    def describe(self, raw: Tensor) -> Tensor:
        """Return the probabilities, (M, V)."""
        return precise(raw).softmax(1)

    def to_json(self) -> dict[str, Any]:
        return {
            "output": self.name,
            "size": self.size,
            "weights": self.weights,
            "label_smoothing": self.label_smoothing,
        }


class TokenOutput(ClassOutput):
    """The next token of a vocabulary: a class scored in nats per token.

    Args:
        size: size of the vocabulary, V.
        label_smoothing: share of the probability spread over the vocabulary in the loss.
    """

    name = "token"

    def __init__(self, size: int, label_smoothing: float = 0.0) -> None:
        super().__init__(size, None, label_smoothing)

    def to_json(self) -> dict[str, Any]:
        return {"output": self.name, "size": self.size, "label_smoothing": self.label_smoothing}


class MultiLabelOutput(Output):
    """Any subset of `size` labels; a sigmoid and a binary cross-entropy for each.

    Args:
        size: number of labels, V.
        threshold: probability above which a label is predicted.
    """

    name = "multilabel"

    def __init__(self, size: int, threshold: float = 0.5) -> None:
        if not 0 < threshold < 1:
            raise OptionError(message("threshold", expected="a number in (0, 1)", received=threshold))
        self.width = self.size = size
        self.threshold = threshold

    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Compute the nats of the whole row: (M, V), (M, V) of 0 and 1 to (M,)."""
        same_shape(raw, targets)
        raw = precise(raw)
        return binary_cross_entropy_with_logits(raw, targets.to(raw.dtype), reduction="none").sum(1)

    def predict(self, raw: Tensor) -> Tensor:
        """Return the labels above the threshold, (M, V) bool."""
        return self.describe(raw) > self.threshold

    def describe(self, raw: Tensor) -> Tensor:
        """Return the probabilities, (M, V)."""
        return precise(raw).sigmoid()

    def to_json(self) -> dict[str, Any]:
        return {"output": self.name, "size": self.size, "threshold": self.threshold}


class BinaryVectorOutput(MultiLabelOutput):
    """A vector of independent on/off keys, such as a piano roll's frame; scored in nats per frame."""

    name = "binary_vector"


class NumberOutput(Output):
    """`size` numbers. Missing targets (NaN) are ignored.

    Args:
        size: number of numbers in a row.
        loss: "squared" (predicts the mean), "absolute" (the median) or "huber".
    """

    name = "number"
    LOSSES: ClassVar[dict[str, Any]] = {"squared": mse_loss, "absolute": l1_loss, "huber": huber_loss}

    def __init__(self, size: int = 1, loss: str = "squared") -> None:
        if loss not in self.LOSSES:
            raise unknown("loss", loss, self.LOSSES)
        self.width = self.size = size
        self.kind = loss

    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Sum the cost of a row's known numbers: (M, size), (M, size) to (M,)."""
        same_shape(raw, targets)
        known = ~targets.isnan()
        raw = precise(raw)
        cost = self.LOSSES[self.kind](raw, targets.to(raw.dtype).nan_to_num(), reduction="none")
        return (cost * known).sum(1)

    def count(self, targets: Tensor) -> float:
        """Count the known numbers."""
        return float((~targets.isnan()).sum())

    def predict(self, raw: Tensor) -> Tensor:
        """Return the numbers, (M, size)."""
        return raw

    def describe(self, raw: Tensor) -> Tensor:
        """Return the numbers, (M, size)."""
        return raw

    def to_json(self) -> dict[str, Any]:
        return {"output": self.name, "size": self.size, "loss": self.kind}


class QuantilesOutput(Output):
    """Several quantiles for each of `size` numbers; pinball loss. Missing targets (NaN) are ignored.

    Args:
        quantiles: probabilities in (0, 1), increasing.
        size: number of numbers in a row.

    Source: R. Koenker and G. Bassett, "Regression Quantiles", Econometrica 46 (1978), section 3.
    """

    name = "quantiles"

    def __init__(self, quantiles: Sequence[float] = (0.1, 0.5, 0.9), size: int = 1) -> None:
        listed = isinstance(quantiles, Iterable) and not isinstance(quantiles, str)
        levels = [finite_number("quantiles", level) for level in quantiles] if listed else []
        if not levels or levels != sorted(set(levels)) or not 0 < levels[0] <= levels[-1] < 1:
            raise OptionError(message("quantiles", expected="increasing numbers in (0, 1)", received=quantiles))
        self.quantiles = levels
        self.size = size
        self.width = size * len(levels)

    def _split(self, raw: Tensor) -> Tensor:
        return precise(raw).view(raw.shape[0], self.size, len(self.quantiles))  # (M, size, Q)

    def loss(self, raw: Tensor, targets: Tensor) -> Tensor:
        """Compute the pinball loss of a row's known numbers, averaged over the quantiles: (M,)."""
        answers = self._split(raw)  # (M, size, Q)
        same_shape(answers[..., 0], targets)
        known = ~targets.isnan()
        error = targets.to(answers.dtype).nan_to_num()[..., None] - answers  # (M, size, Q)
        levels = error.new_tensor(self.quantiles)
        cost = torch.maximum(levels * error, (levels - 1) * error).mean(2)  # (M, size)
        return (cost * known).sum(1)

    def count(self, targets: Tensor) -> float:
        """Count the known numbers."""
        return float((~targets.isnan()).sum())

    def predict(self, raw: Tensor) -> Tensor:
        """Return the quantile nearest to the median, (M, size)."""
        middle = min(range(len(self.quantiles)), key=lambda i: abs(self.quantiles[i] - 0.5))
        return self.describe(raw)[..., middle]

    def describe(self, raw: Tensor) -> Tensor:
        """Return the quantiles, (M, size, Q), sorted so that they never cross."""
        return self._split(raw).sort(2).values

    def to_json(self) -> dict[str, Any]:
        return {"output": self.name, "quantiles": self.quantiles, "size": self.size}
