"""Sequence layers by name: recurrent stacks, and a convolution net of the same size."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.registry import CELLS
from unrolled.errors import OptionError, UnsupportedError, message, share_number, unknown, whole_number
from unrolled.nn.convolutions import Convolutions
from unrolled.nn.parallel import Parallel
from unrolled.nn.stack import MOST_LAYERS, Stack, looks_ahead
from unrolled.ragged import Ragged
from unrolled.shapes import Reset

CONV = "conv"
CHANNELS = 0.5  # of the convolutions beside recurrent layers, for each hidden unit of one direction
SIGHT = 4, 7  # their number and their taps: one output sees 91 steps
# options of a Stack, besides its shape
OPTIONS: dict[str, type] = {
    "variational": bool,
    "layer_norm": bool,
    "residual": bool,
    "learn_initial_state": bool,
    "recurrent_dropout": float,
    "zoneout": float,
}


def make_layers(
    cell: str,
    input_size: int,
    hidden_size: int,
    bidirectional: bool = False,
    num_layers: int = 1,
    dropout: float = 0.0,
    convolutions: bool = False,
    **options: Any,
) -> "Stack | Convolutions | BothWays | Parallel":
    """Make a Stack of the named cell, or, for cell="conv", a convolution net with as many weights as an LSTM stack.

    Args:
        cell: name in `CELLS`, or "conv".
        input_size: features of one step, F.
        hidden_size: number of hidden units of the Stack, H.
        bidirectional: read in both directions.
        num_layers: number of recurrent layers; for a convolution net it only sets the number of weights.
        dropout: share of the values zeroed between layers while training; no effect with one recurrent layer.
        convolutions: read with convolutions beside the recurrent layers too; refused for "conv", which has its own.
        options: the other options of `Stack`; refused for "conv".

    Raises:
        OptionError: an unknown name, or an option that the net does not have.
    """
    if cell not in CELLS and cell != CONV:
        raise unknown("cell", cell, [*CELLS, CONV])
    dropout = share_number("dropout", dropout)
    hidden_size = whole_number("hidden_size", hidden_size, least=1)
    num_layers = whole_number("num_layers", num_layers, 1, MOST_LAYERS)
    for option in options:
        if option not in OPTIONS:
            raise unknown("layers", option, OPTIONS)
    if cell != CONV:
        between = dropout if num_layers > 1 else 0.0
        stack = Stack(input_size, hidden_size, cell, num_layers, bidirectional, between, **options)
        if not convolutions:
            return stack
        channels = max(1, round(hidden_size * CHANNELS))
        return Parallel(stack, Convolutions(input_size, channels, *SIGHT, causal=not bidirectional))
    if convolutions:
        raise OptionError(message("convolutions", expected="False for cell='conv', which has no others beside it",
                                  received=True))  # fmt: skip
    if options:
        raise OptionError(message("layers", expected="no further options for cell='conv'", received=", ".join(options)))
    width = _same_size(input_size, lstm_weights(input_size, hidden_size, num_layers))
    if not bidirectional:
        return Convolutions(input_size, width, dropout=dropout)
    return BothWays(Convolutions(input_size, width, dropout=dropout), Convolutions(input_size, width, dropout=dropout))


def count_weights(module: nn.Module) -> int:
    """Count the learnable numbers in a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def lstm_weights(input_size: int, hidden_size: int, num_layers: int) -> int:
    """Return the number of weights of a Stack of LSTM layers, without making it.

    Example:
        >>> lstm_weights(3, 4, 2) == count_weights(Stack(3, 4, "lstm", 2))
        True
    """
    first, later = (4 * hidden_size * (width + hidden_size + 2) for width in (input_size, hidden_size))
    return first + (num_layers - 1) * later


def _same_size(input_size: int, budget: int) -> int:
    """Return the size of the widest Convolutions within a budget of weights."""
    low, high = 1, 1
    while Convolutions.num_weights(input_size, high) <= budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if Convolutions.num_weights(input_size, middle) <= budget else (low, middle)
    return low


class BothWays(nn.Module):
    """Two causal layers, one of which reads every sequence backwards; their outputs are concatenated."""

    causal = False

    def __init__(self, ahead: Convolutions, back: Convolutions) -> None:
        super().__init__()
        self.ahead = ahead
        self.back = back
        self.output_size = ahead.output_size + back.output_size
        self.backwards = range(ahead.output_size, self.output_size)

    def forward(
        self, inputs: Ragged, state: Any = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, Any]:
        """Run whole sequences: (N, F) to (N, output_size); there is no state to carry."""
        if reset is not None:
            raise UnsupportedError("a two-way convolution cannot restart inside a sequence; pass whole sequences")
        right, _ = self.ahead(inputs)
        left, _ = self.back(inputs.reversed())
        return right.with_values(torch.cat([right.values, left.reversed().values], 1)), ()

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Raise an error, as every layer that looks ahead."""
        raise looks_ahead("a two-way layer")

    def initial_state(self, batch_size: int) -> Any:
        """Return None, as there is no state."""
        return ()
