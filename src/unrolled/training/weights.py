"""Weights by name: read, copied, restored, averaged."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]

REFRESH = 4  # updates between two refreshes of an average that may not be kept


def live_weights(model: nn.Module) -> Weights:
    """Return all saved tensors of a model by name, shared ones once; these are the tensors themselves, not copies."""
    saved = model.state_dict(keep_vars=True)
    named = [*model.named_parameters(), *model.named_buffers()]  # both name a shared tensor once
    return {name: tensor for name, tensor in named if name in saved}


def copy_weights(weights: Mapping[str, Tensor]) -> Weights:
    """Return a copy that later training does not change."""
    return {name: tensor.detach().clone() for name, tensor in weights.items()}


@torch.no_grad()
def write_weights(live: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Write weights into a model's own tensors."""
    for name, tensor in live.items():
        if tensor is not weights[name]:
            tensor.copy_(weights[name])


def under(prefix: str, tensors: Mapping[str, Tensor]) -> Weights:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def all_finite(weights: Mapping[str, Tensor]) -> bool:
    """Return whether no weight is NaN or infinite."""
    return all(bool(tensor.isfinite().all()) for tensor in weights.values())


class Average:
    """Exponential moving average of a model's weights.

    At the start the average follows the weights fast, over a tenth of the updates made, to forget the first weights.

    Args:
        live: the model's own tensors, see `live_weights`.
        decay: maximum share of the average that stays at each update; in (0, 1], 1 for no maximum.
        candidate: it is kept only where its loss is lower than that of the model's own weights. Then only every
            `REFRESH`-th update counts, since large weights take longer to average than to train.

    Example:
        >>> model = nn.Linear(1, 1)
        >>> average = Average(live_weights(model), decay=0.99)
        >>> average.update(1)
    """

    def __init__(self, live: Mapping[str, Tensor], decay: float, candidate: bool = False) -> None:
        self.live = live
        self.decay = decay
        self.candidate = candidate
        self.weights = copy_weights(live)

    @torch.no_grad()
    def update(self, updates: int) -> None:
        """Update the average with the model's weights, after its `updates`-th update."""
        if self.candidate:
            if updates % REFRESH:
                return
            updates //= REFRESH
        share = 1.0 - min(self.decay, (1 + updates) / (10 + updates))
        for name, tensor in self.live.items():
            if tensor.is_floating_point():
                self.weights[name].lerp_(tensor, share)
            else:
                self.weights[name].copy_(tensor)


@contextmanager
def swapped_in(live: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> Generator[None]:
    """Let the model compute with other weights inside the block, and with its own afterwards."""
    if weights is live:
        yield
        return
    own = copy_weights(live)
    write_weights(live, weights)
    try:
        yield
    finally:
        write_weights(live, own)
