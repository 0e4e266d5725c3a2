"""Further training of a fitted model, on new and old stretches mixed, so that it does not forget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from unrolled.batch import Batch
from unrolled.ragged import Ragged
from unrolled.tasks.shared.random_stretches import ROWS, STRETCH
from unrolled.training.clipping import clip_gradients, scale
from unrolled.training.isolation import Apart
from unrolled.training.weights import under

PIECE = 256  # a long stretch is stored, and forgotten, in pieces of this many steps
RECENT = 4  # pieces that count as new


@dataclass
class Memory:
    """Stretches of what was read so far: everything, or a random part if that is too much.

    Args:
        limit: steps to keep; 0 keeps only new ones.
        seed: random seed of what is forgotten and what is drawn.
        pieces: one sequence each, oldest first.
    """

    limit: int
    seed: int = 0
    pieces: list[Batch] = field(default_factory=list)
    drawn: int = 0  # number of draws, so that each draw differs and all can be repeated

    def add(self, examples: Batch) -> None:
        """Store one sequence; a long one is stored in pieces that overlap."""
        steps = int(examples.lengths[0])
        for start in range(0, max(steps - STRETCH, 1), PIECE):
            self.pieces.append(examples.slice_time(start, min(start + PIECE + STRETCH, steps)))
        self._forget()

    def _forget(self) -> None:
        rng = self._rng()
        sizes = [one.num_steps for one in self.pieces]
        while sum(sizes) > self.limit and len(sizes) > RECENT:
            gone = int(rng.integers(len(sizes) - RECENT))
            del self.pieces[gone], sizes[gone]

    def draw(self, count: int = ROWS) -> Batch:
        """Draw stretches at random places, half of them from the newest pieces."""
        rng = self._rng()
        sizes = np.array([one.num_steps for one in self.pieces], dtype=np.float64)
        new = np.where(np.arange(len(sizes)) >= len(sizes) - RECENT, sizes, 0.0)
        chances = [new / new.sum(), sizes / sizes.sum()]
        stretches = []
        for number in range(count):
            piece = self.pieces[int(rng.choice(len(sizes), p=chances[number % 2]))]
            start = int(rng.integers(max(piece.num_steps - STRETCH, 0) + 1))
            stretches.append(piece.slice_time(start, min(start + STRETCH, piece.num_steps)))
        return joined(stretches)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return all pieces end to end, by the name of their content."""
        whole = joined(self.pieces)
        parts = {f"inputs.{name}": _ragged(value).values for name, value in whole.inputs.items()}
        return {**parts, "targets": _ragged(whole.targets).values, "lengths": whole.lengths}

    def restore(self, tensors: Mapping[str, Tensor], drawn: int) -> None:
        """Restore what `to_tensors` returned, and the number of draws."""
        lengths = tensors["lengths"]
        inputs = {name: Ragged(values, lengths) for name, values in under("inputs.", tensors).items()}
        whole = Batch(inputs, targets=Ragged(tensors["targets"], lengths))
        self.drawn = drawn
        self.pieces = [whole.select(torch.tensor([row])) for row in range(len(lengths))]

    def _rng(self) -> np.random.Generator:
        self.drawn += 1
        return np.random.default_rng([self.seed, self.drawn])


def learn_on(
    network: Any, optimizer: torch.optim.Optimizer, memory: Memory, updates: int, max_grad_norm: float = 1.0
) -> None:
    """Update the weights a few times on batches that the memory draws.

    Args:
        network: has `loss(batch)`; left in evaluation mode.
        optimizer: the optimiser of its weights.
        memory: the data to learn from.
        updates: number of batches.
        max_grad_norm: clip the gradient's norm to this.
    """
    network.train()
    gradients = [parameter for parameter in network.parameters() if parameter.requires_grad]
    apart = Apart(memory.seed + memory.drawn)
    for _ in range(updates):
        batch = memory.draw()
        with apart.turn():
            result = network.loss(batch)
            if not result.count:
                continue
            optimizer.zero_grad()
            result.total.backward()
            given = [parameter.grad for parameter in gradients if parameter.grad is not None]
            scale(given, 1.0 / result.count)
            clip_gradients(given, max_grad_norm, 0.0, None)
            optimizer.step()
    network.eval()


def joined(batches: Sequence[Batch]) -> Batch:
    """Return the sequences of several batches, one after the other, as one batch."""
    first = batches[0]
    inputs = {name: Ragged.concatenate([_ragged(one.inputs[name]) for one in batches]) for name in first.inputs}
    return replace(first, inputs=inputs, targets=Ragged.concatenate([_ragged(one.targets) for one in batches]))


def _ragged(value: Any) -> Ragged:
    assert isinstance(value, Ragged)
    return value


def optimizer_for(network: nn.Module, learning_rate: float) -> torch.optim.Optimizer:
    """Return an optimiser with a low learning rate for a trained network."""
    return torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=0.01)
