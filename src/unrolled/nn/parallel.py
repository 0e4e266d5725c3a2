"""Parallel: several sequence layers that read the same steps."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.nn.convolutions import Convolutions
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.shapes import Reset


class Parallel(nn.Module):
    """A recurrent Stack and convolutions beside it; their outputs are concatenated.

    Convolutions find short shapes wherever they are, and the recurrent layers what comes before what. Source: F. Karim
    et al., "LSTM Fully Convolutional Networks for Time Series Classification", IEEE Access 6 (2018), section III.

    Args:
        recurrent: a Stack.
        convolutions: causal where the stack is, else centred.

    Example:
        >>> import torch
        >>> both = Parallel(Stack(3, 4), Convolutions(3, 2))
        >>> outputs, state = both(Ragged(torch.randn(5, 3), [2, 3]))
        >>> outputs.values.shape, len(state)
        (torch.Size([5, 6]), 2)
    """

    def __init__(self, recurrent: Stack, convolutions: Convolutions) -> None:
        super().__init__()
        assert recurrent.causal == convolutions.causal, "both read forwards only, or both look ahead"
        self.recurrent = recurrent
        self.convolutions = convolutions
        self.causal = recurrent.causal
        self.input_size = recurrent.input_size
        self.output_size = recurrent.output_size + convolutions.output_size
        self.backwards = recurrent.backwards

    def forward(
        self, inputs: Ragged, state: Any = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, tuple[Any, Any]]:
        """Run whole sequences: (N, F) to (N, output_size) and the final state of each part."""
        of_stack, of_net = (None, None) if state is None else state
        read, of_stack = self.recurrent(inputs, of_stack, reset, want_state)
        seen, of_net = self.convolutions(inputs, of_net, reset, want_state)
        return read.with_values(torch.cat([read.values, seen.values], 1)), (of_stack, of_net)

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, tuple[Any, Any]]:
        """Run one time step in evaluation: (B, F) to (B, output_size).

        Raises:
            UnsupportedError: layers that look ahead.
        """
        read, of_stack = self.recurrent.step(inputs, state[0])
        seen, of_net = self.convolutions.step(inputs, state[1])
        return torch.cat([read, seen], 1), (of_stack, of_net)

    def initial_state(self, batch_size: int) -> tuple[Any, Any]:
        """Return the state of each part before the first step."""
        return self.recurrent.initial_state(batch_size), self.convolutions.initial_state(batch_size)


def stack_of(layers: Any) -> Any:
    """Return the recurrent Stack among the layers of an arrangement; anything else as it is."""
    return layers.recurrent if isinstance(layers, Parallel) else layers
