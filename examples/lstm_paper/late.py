"""A recurrent layer that is added late, the paper's first remedy for memory cells that are abused.

Where nearly everything can be foreseen from the step at hand, a memory that is there from the start is put to that use
and is no memory any more when only the long lag is left to learn. So the read-out sees the inputs directly, and the
recurrent layer comes in "once the error has stopped decreasing".

Source: S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", 1997, section 4 (abuse problem) and experiment 2a.
"""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import SequenceLayer
from unrolled.ragged import Ragged
from unrolled.shapes import Reset
from unrolled.training.callbacks import Callback
from unrolled.training.trainer import Trainer

UPDATES = 100  # whose mean loss is compared with that of as many before
DECREASE = 0.01  # less than this share is none


class LateLayer(nn.Module):
    """A layer beside a direct path: (N, F) to (N, H + F), whose first H are zero until the layer is added.

    Args:
        layers: the recurrent layer.
        input_size: features of one step, F.
    """

    causal = True
    backwards = range(0)

    def __init__(self, layers: SequenceLayer, input_size: int) -> None:
        super().__init__()
        self.layers = layers
        self.added = False
        self.output_size = layers.output_size + input_size

    def forward(
        self, inputs: Ragged, state: Any = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, Any]:
        """Whole sequences."""
        if self.added:
            outputs, state = self.layers(inputs, state, reset, want_state)
        else:
            outputs = inputs.with_values(inputs.values.new_zeros(inputs.num_steps, self.layers.output_size))
        return inputs.with_values(torch.cat([outputs.values, inputs.values], 1)), state

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """One time step: (B, F) to (B, H + F)."""
        outputs, state = self.forward(Ragged(inputs, [1] * len(inputs)), state)
        return outputs.values, state

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before the first step."""
        return self.layers.initial_state(batch_size)


class AddLayer(Callback):
    """Adds the layer when the mean training loss has stopped decreasing."""

    def __init__(self, layer: LateLayer) -> None:
        self.layer = layer
        self.losses: list[float] = []
        self.before = float("inf")

    def on_update(self, trainer: Trainer) -> None:
        """Compare a hundred updates with the hundred before."""
        self.losses.append(trainer.loss)
        if self.layer.added or len(self.losses) < UPDATES:
            return
        mean = sum(self.losses) / UPDATES
        self.layer.added = mean > (1 - DECREASE) * self.before
        self.before, self.losses = mean, []
