"""Replay: a random sample of the sequences learnt so far, read again with new ones so that they are not forgotten."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.ragged import Ragged
from unrolled.tasks.shared.online_learning import joined
from unrolled.training.weights import under

KEPT, LONGEST = 1000, 200  # sequences, and steps kept of each, the last ones


class Replay:
    """A reservoir sample: it holds each sequence that was ever added with the same probability.

    Args:
        examples: sequences with per-step inputs and targets.
        seen: number of sequences that the sample was drawn from.

    Source: J. Vitter, "Random Sampling with a Reservoir", ACM Transactions on Mathematical Software 11 (1985); against
    forgetting: A. Robins, "Catastrophic Forgetting, Rehearsal and Pseudorehearsal", Connection Science 7 (1995).

    Example:
        >>> steps = Ragged(torch.arange(5), [2, 3])
        >>> kept = Replay.of(Batch({"x": steps}, targets=steps), np.random.default_rng(0))
        >>> kept.examples.batch_size, kept.seen
        (2, 2)
    """

    def __init__(self, examples: Batch, seen: int) -> None:
        self.examples, self.seen = examples, seen

    @classmethod
    def of(cls, examples: Batch, draw: np.random.Generator) -> Self:
        """Return a sample of the first sequences."""
        rows = draw.permutation(examples.batch_size)[:KEPT]
        return cls(_ends(examples.select(torch.from_numpy(np.sort(rows)))), examples.batch_size)

    def absorbed(self, examples: Batch, draw: np.random.Generator) -> "Replay":
        """Return the sample after further sequences."""
        new, seen = examples.batch_size, self.seen + examples.batch_size
        size = min(KEPT, seen)
        fresh = int(draw.hypergeometric(new, self.seen, size)) if self.seen else size
        fresh = max(fresh, size - self.examples.batch_size)  # the old ones were cut to KEPT
        old = draw.permutation(self.examples.batch_size)[: size - fresh]
        chosen = draw.permutation(new)[:fresh]
        parts = [self.examples.select(torch.from_numpy(old)), _ends(examples.select(torch.from_numpy(chosen)))]
        return Replay(joined(parts), seen)

    def drawn(self, steps: int, draw: np.random.Generator) -> Batch:
        """Draw some of the sequences, with about `steps` steps in total; all if there are fewer."""
        order = draw.permutation(self.examples.batch_size)
        within = np.cumsum(self.examples.lengths.numpy()[order]) <= steps
        return self.examples.select(torch.from_numpy(order[: max(1, int(within.sum()))]))

    def shift(self, names: Sequence[str], least: int, more: int) -> None:
        """Shift the indices of some inputs, and of the targets, that are at least `least`, by `more`."""
        inputs = self._inputs()
        for name in names:
            inputs[name] = inputs[name].map(lambda values: values + more * (values >= least))
        assert isinstance(self.examples.targets, Ragged)
        targets = self.examples.targets.map(lambda values: values + more * (values >= least))
        self.examples = Batch(dict(inputs), targets=targets)

    def tensors(self) -> dict[str, Tensor]:
        """Return everything it holds, by name."""
        assert isinstance(self.examples.targets, Ragged)
        inputs = {f"input.{name}": value.values for name, value in self._inputs().items()}
        own = {"targets": self.examples.targets.values, "lengths": self.examples.lengths}
        return {**inputs, **own, "seen": torch.tensor(self.seen)}

    def _inputs(self) -> dict[str, Ragged]:
        return {name: value for name, value in self.examples.inputs.items() if isinstance(value, Ragged)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Self:
        """Restore what `tensors` returned."""
        lengths = tensors["lengths"]
        inputs = {name: Ragged(values, lengths) for name, values in under("input.", tensors).items()}
        return cls(Batch(dict(inputs), targets=Ragged(tensors["targets"], lengths)), int(tensors["seen"]))


def _ends(examples: Batch) -> Batch:
    """Return the last LONGEST steps of longer sequences."""
    ends = examples.lengths
    cut = examples.slice_time((ends - LONGEST).clamp(min=0), ends)
    return replace(cut, reset=None)
