"""Pooling: all steps of a sequence to one vector, at once or step by step with a running state."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.errors import unknown
from unrolled.ragged import Ragged


class Last(nn.Module):
    """The last step; of a backward direction the first step, where it has read everything."""

    title = "last"

    def __init__(self, size: int, backwards: range = range(0)) -> None:
        super().__init__()
        self.size = self.output_size = size
        self.backwards = backwards

    def forward(self, outputs: Ragged) -> Tensor:
        """Pool (N, H) ragged to (B, H); zeros for an empty sequence."""
        last = outputs.last()
        if not self.backwards:
            return last
        start, stop = self.backwards.start, self.backwards.stop
        back = outputs.with_values(outputs.values[:, start:stop]).reversed().last()
        return torch.cat([last[:, :start], back, last[:, stop:]], 1)

    def initial_state(self, batch_size: int, like: Tensor) -> tuple[()]:
        return ()

    def step(self, output: Tensor, state: Any) -> tuple[Tensor, Any]:
        return output, ()

    def steps(self, outputs: Ragged, state: Any) -> tuple[Tensor, Any]:
        """Do what `step` does for all steps of each sequence; rows without steps have no meaning."""
        return outputs.last(), ()


class Mean(nn.Module):
    """The mean over time."""

    title = "mean"

    def __init__(self, size: int, backwards: range = range(0)) -> None:
        super().__init__()
        self.size = self.output_size = size

    def forward(self, outputs: Ragged) -> Tensor:
        """Pool (N, H) ragged to (B, H); zeros for an empty sequence."""
        sums = outputs.values.new_zeros(outputs.batch_size, self.size)
        sums = sums.index_add(0, outputs.sequence_ids, outputs.values)  # (B, H)
        return sums / outputs.lengths.clamp(min=1).to(sums)[:, None]

    def initial_state(self, batch_size: int, like: Tensor) -> tuple[Tensor, Tensor]:
        return like.new_zeros(batch_size, self.size), like.new_zeros(batch_size, 1)

    def step(self, output: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        total, count = state[0] + output, state[1] + 1
        return total / count, (total, count)

    def steps(self, outputs: Ragged, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Do what `step` does for all steps of each sequence; rows without steps have no meaning."""
        total = state[0].index_add(0, outputs.sequence_ids, outputs.values)  # (B, H)
        count = state[1] + outputs.lengths.to(state[1])[:, None]  # (B, 1)
        return total / count, (total, count)


class Max(nn.Module):
    """The largest value of each unit over time."""

    title = "max"

    def __init__(self, size: int, backwards: range = range(0)) -> None:
        super().__init__()
        self.size = self.output_size = size

    def forward(self, outputs: Ragged) -> Tensor:
        """Pool (N, H) ragged to (B, H); zeros for an empty sequence."""
        start = outputs.values.new_zeros(outputs.batch_size, self.size)
        index = outputs.sequence_ids[:, None].expand_as(outputs.values)
        return start.scatter_reduce(0, index, outputs.values, "amax", include_self=False)

    def initial_state(self, batch_size: int, like: Tensor) -> tuple[Tensor]:
        return (like.new_full((batch_size, self.size), -torch.inf),)

    def step(self, output: Tensor, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        highest = torch.maximum(output, state[0])
        return highest, (highest,)

    def steps(self, outputs: Ragged, state: tuple[Tensor]) -> tuple[Tensor, tuple[Tensor]]:
        """Do what `step` does for all steps of each sequence; rows without steps have no meaning."""
        index = outputs.sequence_ids[:, None].expand_as(outputs.values)
        highest = state[0].scatter_reduce(0, index, outputs.values, "amax")  # (B, H)
        return highest, (highest,)


class AttentionPooling(nn.Module):
    """A weighted mean over time whose weights are learnt: softmax over the steps of `v . tanh(W h)`.

    Source: Z. Yang et al., "Hierarchical Attention Networks for Document Classification", NAACL 2016, section 2.2.
    """

    title = "attention"

    def __init__(self, size: int, backwards: range = range(0)) -> None:
        super().__init__()
        self.size = self.output_size = size
        self.score = nn.Sequential(nn.Linear(size, size), nn.Tanh(), nn.Linear(size, 1, bias=False))

    def forward(self, outputs: Ragged) -> Tensor:
        """Pool (N, H) ragged to (B, H); zeros for an empty sequence."""
        start = outputs.values.new_zeros(outputs.batch_size, self.size)
        return start.index_add(0, outputs.sequence_ids, self.weights(outputs)[:, None] * outputs.values)

    def weights(self, outputs: Ragged) -> Tensor:
        """Compute the weight of each step, (N,); they sum to 1 in every sequence that is not empty."""
        scores = self.score(outputs.values).squeeze(1)  # (N,)
        ids = outputs.sequence_ids
        highest = scores.new_zeros(outputs.batch_size).scatter_reduce(0, ids, scores, "amax", include_self=False)
        exponents = (scores - highest.detach()[ids]).exp()  # (N,)
        sums = exponents.new_zeros(outputs.batch_size).index_add(0, ids, exponents)  # (B,)
        return exponents / sums[ids]

    def initial_state(self, batch_size: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the running maximum score, sum of exponentials and weighted sum of the softmax."""
        return (
            like.new_full((batch_size, 1), -torch.inf),
            like.new_zeros(batch_size, 1),
            like.new_zeros(batch_size, self.size),
        )

    def step(self, output: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Any]:
        highest, total, weighted = state
        score = self.score(output)  # (B, 1)
        new_highest = torch.maximum(highest, score)
        shrink, exponent = (highest - new_highest).exp(), (score - new_highest).exp()
        total = total * shrink + exponent
        weighted = weighted * shrink + exponent * output
        return weighted / total, (new_highest, total, weighted)

    def steps(self, outputs: Ragged, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Any]:
        """Do what `step` does for all steps of each sequence; rows without steps have no meaning."""
        (highest, total, weighted), ids = state, outputs.sequence_ids
        scores = self.score(outputs.values)  # (N, 1)
        new_highest = highest.scatter_reduce(0, ids[:, None], scores, "amax")  # (B, 1)
        shrink, exponents = (highest - new_highest).exp(), (scores - new_highest[ids]).exp()
        total = (total * shrink).index_add(0, ids, exponents)
        weighted = (weighted * shrink).index_add(0, ids, exponents * outputs.values)
        return weighted / total, (new_highest, total, weighted)


class Together(nn.Module):
    """Attention, maximum, mean and last step side by side, (B, 4 * H)."""

    title = "attention, max, mean and last"

    def __init__(self, size: int, backwards: range = range(0)) -> None:
        super().__init__()
        self.size, self.output_size = size, size * len(ALONE)
        self.parts = nn.ModuleDict({name: ALONE[name](size, backwards) for name in ALONE})

    def forward(self, outputs: Ragged) -> Tensor:
        """Pool (N, H) ragged to (B, 4 * H); zeros for an empty sequence."""
        return torch.cat([part(outputs) for part in self.parts.values()], 1)

    def initial_state(self, batch_size: int, like: Tensor) -> dict[str, Any]:
        """Return the state of each pooling before the first step."""
        return {name: part.initial_state(batch_size, like) for name, part in self.parts.items()}  # type: ignore[operator]

    def step(self, output: Tensor, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        return self._joined({name: part.step(output, state[name]) for name, part in self.parts.items()})  # type: ignore[operator]

    def steps(self, outputs: Ragged, state: dict[str, Any]) -> tuple[Tensor, dict[str, Any]]:
        """Do what `step` does for all steps of each sequence; rows without steps have no meaning."""
        return self._joined({name: part.steps(outputs, state[name]) for name, part in self.parts.items()})  # type: ignore[operator]

    def _joined(self, found: dict[str, tuple[Tensor, Any]]) -> tuple[Tensor, dict[str, Any]]:
        return torch.cat([pooled for pooled, _ in found.values()], 1), {
            name: after for name, (_, after) in found.items()
        }


ALONE = {"attention": AttentionPooling, "max": Max, "mean": Mean, "last": Last}
POOLINGS = {**ALONE, "all": Together}


def make_pooling(name: str, size: int, backwards: range = range(0)) -> nn.Module:
    """Make a pooling by its name in `POOLINGS`.

    Args:
        name: of the pooling.
        size: features of one step, H.
        backwards: the features that a backward direction computes.

    Raises:
        OptionError: an unknown name; it suggests the nearest.
    """
    if name not in POOLINGS:
        raise unknown("pooling", name, POOLINGS)
    return POOLINGS[name](size, backwards)
