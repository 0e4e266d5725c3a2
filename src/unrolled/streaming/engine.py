"""The network of a stream: it continues many sequences in one batch, from flat states to flat states."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.arrangements.many_to_one import ManyToOne, ManyToOneState
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.ragged import Ragged
from unrolled.state import choose_rows
from unrolled.streaming.flat_state import StateLayout


class Engine:
    """A network that continues sequences from their states.

    Args:
        network: a causal arrangement; it is set to evaluation mode.

    Raises:
        UnsupportedError: a network that reads backwards.
    """

    def __init__(self, network: Any) -> None:
        self.network = network.eval()
        with torch.no_grad():
            first = network.initial_state(1)
        self.layout = StateLayout(first)
        self.first = self.layout.flat(first)[0]  # (S,)
        self._check()

    def _check(self) -> None:
        """Raise if a layer cannot be stepped; its state alone does not show this, so try one step of zeros."""
        layers = self.network.layers
        if not layers.causal:
            layers.step(torch.zeros(1, 1), layers.initial_state(1))

    def run(self, batch: Batch, states: np.ndarray, fresh: Tensor) -> tuple[Ragged, np.ndarray]:
        """Read the steps of each sequence, any number of them.

        Args:
            batch: the steps, B sequences.
            states: initial state of each, (B, S).
            fresh: which sequences begin here, (B,): where a vector starts a sequence, it gives the state.

        Returns:
            The raw answers, (N, width) ragged (one row per sequence with steps, where an answer is for the whole
            sequence), and the final states, (B, S).
        """
        with torch.no_grad():
            state = self.layout.nested(states)
            if isinstance(self.network, OneToMany):
                state = choose_rows(fresh, self.network.first_state(batch), state)
            if isinstance(self.network, ManyToOne):
                raw, state = self._so_far(batch, state)
                return raw, self.layout.flat(state)
            answers, state = self.network(batch, state)
            return answers, self.layout.flat(state)

    def _so_far(self, batch: Batch, state: ManyToOneState) -> tuple[Ragged, ManyToOneState]:
        """Return the answers after all steps, of the sequences that have steps, and the states of all."""
        network, some = self.network, batch.lengths > 0
        outputs, layers = network.layers(network.inputs(batch), state.layers)
        read, after = network.pooling.steps(outputs, state.pooled)  # (B, H)
        pooled = choose_rows(some, after, state.pooled)
        raw = network.head(torch.cat([read, network.inputs.static(batch)], 1))  # (B, width)
        return Ragged(raw[some], some.long()), ManyToOneState(layers, pooled)


def final(raw: Ragged) -> Tensor:
    """Return the last row of each sequence that has one, (M, width)."""
    return raw.last()[raw.lengths > 0]
