"""Stack: recurrent layers in one or two directions, with dropout, layer norms and residual connections."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.base import Cell, State
from unrolled.cells.registry import make_cell
from unrolled.errors import OptionError, ShapeError, UnsupportedError, message, share_number, whole_number
from unrolled.kernels.noise import SILENCE, Noise, step
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged
from unrolled.shapes import Reset

MOST_LAYERS = 1000  # more would be a mistake or a damaged model


class Recurrent(nn.Module):
    """One layer in one direction: a cell, unrolled.

    Args:
        cell: the cell.
        recompute: as in `unroll`.
        noise: recurrent dropout and zoneout; new draws for each training pass.
    """

    causal = True
    backwards = range(0)

    def __init__(self, cell: Cell, recompute: bool | None = None, noise: Noise = SILENCE) -> None:
        super().__init__()
        noise.check(cell)
        self.cell, self.recompute, self.noise = cell, recompute, noise
        self.output_size = cell.output_size

    def forward(
        self, inputs: Ragged, state: State | None = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, State]:
        """Run whole sequences: (N, F) to (N, H) and the final state."""
        noise = self.noise.drawn() if self.training else self.noise
        return unroll(self.cell, inputs, state, reset, want_state=want_state, recompute=self.recompute, noise=noise)

    def step(self, inputs: Tensor, state: State) -> tuple[Tensor, State]:
        """Run one time step in evaluation: (B, F) to (B, H)."""
        return step(self.cell, self.noise, inputs, state)

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step."""
        return self.cell.initial_state(batch_size)


class Bidirectional(nn.Module):
    """One layer in two directions; outputs are concatenated, (N, 2 * H).

    Args:
        forward_cell: reads from the first step to the last.
        backward_cell: reads every sequence from its own last step to the first.
        recompute: as in `unroll`.
        noise: as in `Recurrent`, with separate draws for each direction.
    """

    causal = False

    def __init__(
        self, forward_cell: Cell, backward_cell: Cell, recompute: bool | None = None, noise: Noise = SILENCE
    ) -> None:
        super().__init__()
        noise.check(forward_cell)
        self.recompute, self.noise = recompute, noise
        self.forward_cell = forward_cell
        self.backward_cell = backward_cell
        self.output_size = forward_cell.output_size + backward_cell.output_size
        self.backwards = range(forward_cell.output_size, self.output_size)

    def forward(
        self,
        inputs: Ragged,
        state: tuple[State, State] | None = None,
        reset: Reset | None = None,
        want_state: bool = True,
    ) -> tuple[Ragged, tuple[State, State]]:
        """Run whole sequences: (N, F) to (N, 2 * H) and the two final states."""
        ahead, back = (None, None) if state is None else state
        both = partial(unroll, want_state=want_state, recompute=self.recompute)
        noises = [self.noise.drawn() if self.training else self.noise for _ in range(2)]
        right, ahead = both(self.forward_cell, inputs, ahead, reset, noise=noises[0])
        left, back = both(self.backward_cell, inputs, back, reset, reverse=True, noise=noises[1])
        return right.with_values(torch.cat([right.values, left.values], 1)), (ahead, back)

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Raise an error, as the backward direction starts at the end."""
        raise looks_ahead("a bidirectional layer")

    def initial_state(self, batch_size: int) -> tuple[State, State]:
        """Return the states before the first and after the last step."""
        return self.forward_cell.initial_state(batch_size), self.backward_cell.initial_state(batch_size)


def looks_ahead(layer: str) -> UnsupportedError:
    """Make the error of a layer that cannot be stepped."""
    return UnsupportedError(
        f"{layer} reads the whole sequence before its first answer, so it cannot be stepped; "
        "train with bidirectional=False to answer step by step"
    )


class Stack(nn.Module):
    """Layers of one kind of cell.

    Args:
        input_size: features of one step, F.
        hidden_size: number of hidden units per layer and direction, H.
        cell: name in `unrolled.cells.registry.CELLS`.
        num_layers: number of layers, L.
        bidirectional: read in both directions; outputs are then (N, 2 * H).
        dropout: share of the values zeroed between layers while training; needs two layers.
        variational: draw one dropout mask per sequence for all its steps; needs dropout.
        layer_norm: normalise each layer's inputs after the first layer; needs two layers.
        residual: add a layer's inputs to its outputs where the widths are equal; needs such a layer.
        learn_initial_state: learn the states before the first step.
        recompute: save memory in training on very long sequences, None = where needed, see `unroll`.
        recurrent_dropout: share of the hidden state that the recurrent product reads as zero while training; drawn
            once per sequence, the same at all its steps.
        zoneout: share of the states that keep their value, drawn at each step in training; in evaluation each state is
            this share of the old one plus the rest of the new one.

    Raises:
        OptionError: an illegal value, or an option without effect.

    Sources: variational dropout: Y. Gal and Z. Ghahramani, "A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks", NeurIPS 2016, section 4; zoneout: D. Krueger et al., "Zoneout: Regularizing RNNs by
    Randomly Preserving Hidden Activations", ICLR 2017, section 3; bidirectional: M. Schuster and K. Paliwal,
    "Bidirectional Recurrent Neural Networks", IEEE Transactions on Signal Processing 45 (1997), section II.

    Example:
        >>> import torch
        >>> from unrolled.nn.stack import Stack
        >>> from unrolled.ragged import Ragged
        >>> stack = Stack(3, 8, cell="gru", num_layers=2)
        >>> outputs, state = stack(Ragged(torch.randn(5, 3), torch.tensor([2, 3])))
        >>> outputs.values.shape, len(state)
        (torch.Size([5, 8]), 2)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        cell: str = "lstm",
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        variational: bool = False,
        layer_norm: bool = False,
        residual: bool = False,
        learn_initial_state: bool = False,
        recompute: bool | None = None,
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ) -> None:
        super().__init__()
        num_layers, dropout = whole_number("num_layers", num_layers, 1, MOST_LAYERS), share_number("dropout", dropout)
        noise = Noise(recurrent_dropout, zoneout)

        def layer(width: int) -> nn.Module:
            if bidirectional:
                ahead, back = (make_cell(cell, width, hidden_size, learn_initial_state) for _ in range(2))
                return Bidirectional(ahead, back, recompute, noise)
            return Recurrent(make_cell(cell, width, hidden_size, learn_initial_state), recompute, noise)

        first = layer(input_size)
        output_size: int = first.output_size  # type: ignore[assignment]
        widths = [input_size] + [output_size] * (num_layers - 1)
        for name, asked, needs, holds in (
            ("dropout", dropout, "num_layers >= 2", num_layers > 1),
            ("layer_norm", layer_norm, "num_layers >= 2", num_layers > 1),
            ("variational", variational, "dropout > 0", dropout > 0),
            ("residual", residual, f"a layer that reads {output_size} features", output_size in widths),
        ):
            if asked and not holds:
                raise OptionError(message(name, expected=needs, received=asked, remedy="it would change nothing here"))
        self.layers = nn.ModuleList([first, *(layer(width) for width in widths[1:])])
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in widths[1:]) if layer_norm else None
        self.dropout = dropout
        self.variational = variational
        self.residual = residual
        self.input_size = input_size
        self.causal = not bidirectional
        self.output_size = output_size
        self.backwards = range(output_size // 2, output_size) if bidirectional else range(0)

    def forward(
        self, inputs: Ragged, state: Any = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, tuple[Any, ...]]:
        """Run whole sequences: (N, F) to (N, output_size) and one final state per layer."""
        states = [None] * len(self.layers) if state is None else list(state)
        if len(states) != len(self.layers):
            raise ShapeError(message("state", expected=f"{len(self.layers)} layers", received=f"{len(states)}"))
        hidden = inputs
        for index, layer in enumerate(self.layers):
            given = hidden if index == 0 else hidden.with_values(self._between(index, hidden))
            outputs, states[index] = layer(given, states[index], reset, want_state)
            hidden = outputs.with_values(self._short_cut(outputs.values, hidden.values))
        return hidden, tuple(states)

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, tuple[Any, ...]]:
        """Run one time step in evaluation, without dropout: (B, F) to (B, output_size).

        Raises:
            UnsupportedError: the stack is bidirectional.
        """
        states = list(state)
        hidden = inputs  # (B, F)
        for index, layer in enumerate(self.layers):
            given = hidden if index == 0 or self.norms is None else self.norms[index - 1](hidden)
            output, states[index] = layer.step(given, states[index])  # type: ignore[operator]
            hidden = self._short_cut(output, hidden)
        return hidden, tuple(states)

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """Return one state per layer before the first step."""
        return tuple(layer.initial_state(batch_size) for layer in self.layers)  # type: ignore[operator]

    def _between(self, index: int, hidden: Ragged) -> Tensor:
        values = hidden.values if self.norms is None else self.norms[index - 1](hidden.values)
        if not self.training or not self.dropout:
            return values
        if not self.variational:
            return nn.functional.dropout(values, self.dropout)
        mask = nn.functional.dropout(values.new_ones(hidden.batch_size, values.shape[1]), self.dropout)  # (B, H)
        return values * mask[hidden.sequence_ids]

    def _short_cut(self, outputs: Tensor, inputs: Tensor) -> Tensor:
        return outputs + inputs if self.residual and outputs.shape == inputs.shape else outputs
