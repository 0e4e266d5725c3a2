"""A causal convolution net with the interface of a Stack: a non-recurrent alternative for comparison."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.errors import OptionError, ShapeError, message
from unrolled.nn.unroll import restarting
from unrolled.ragged import Ragged
from unrolled.shapes import Reset

MOST_LAYERS = 1000  # the net sees 2**L steps


class CausalConv(nn.Module):
    """Dilated causal convolutions with residual blocks; layer l looks back (kernel_size - 1) * 2**l steps.

    Its state is the last inputs of every layer, so that chunks and single steps equal the whole pass.

    Args:
        input_size: features of one step, F.
        hidden_size: number of channels of every layer, H.
        num_layers: number of convolutions, L; the net sees (kernel_size - 1) * (2**L - 1) + 1 steps.
        kernel_size: number of taps of each convolution.
        dropout: share of the values zeroed after each layer while training.

    Raises:
        OptionError: an illegal value.

    Source: S. Bai et al., "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
    Modeling", 2018, section 3 (one convolution per block, layer norm in place of weight norm).
    """

    causal = True

    def __init__(
        self, input_size: int, hidden_size: int, num_layers: int = 5, kernel_size: int = 3, dropout: float = 0.0
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, value in (sizes | {"kernel_size": kernel_size}).items():
            if value < 1:
                raise OptionError(message(name, expected="an integer >= 1", received=value))
        if num_layers > MOST_LAYERS:
            raise OptionError(message("num_layers", expected=f"at most {MOST_LAYERS}", received=num_layers))
        if not 0 <= dropout < 1:
            raise OptionError(message("dropout", expected="a number in [0, 1)", received=dropout))
        self.input_size = input_size
        self.output_size = hidden_size
        self.kernel_size = kernel_size
        self.dropout = dropout
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.taps = nn.ModuleList(nn.Linear(kernel_size * width, hidden_size) for width in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in widths)
        self.widths = widths

    @staticmethod
    def num_weights(input_size: int, hidden_size: int, num_layers: int = 5, kernel_size: int = 3) -> int:
        """Return the number of weights of such a net without making it; arguments as in the constructor.

        Example:
            >>> from unrolled.nn.causal_conv import CausalConv
            >>> CausalConv.num_weights(3, 4) == sum(weight.numel() for weight in CausalConv(3, 4).parameters())
            True
        """
        taps = kernel_size * (input_size + (num_layers - 1) * hidden_size) * hidden_size
        return taps + num_layers * 3 * hidden_size  # a bias, and the gain and bias of a layer norm

    def _memory(self, layer: int) -> int:
        return (self.kernel_size - 1) * 2**layer

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return zeros in place of the inputs before the first step: (B, memory, F or H) per layer."""
        like = self.norms[0].weight
        return tuple(
            like.new_zeros(batch_size, self._memory(layer), width)  # type: ignore[operator]
            for layer, width in enumerate(self.widths)
        )

    def forward(
        self, inputs: Ragged, state: Any = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, Any]:
        """Run whole sequences: (N, F) to (N, H) and each layer's last inputs."""
        if inputs.feature_shape != (self.input_size,):
            raise ShapeError(message("inputs", expected=f"shape (N, {self.input_size})", received=repr(inputs)))
        state = self.initial_state(inputs.batch_size) if state is None else state
        return restarting(self._run, inputs, state, reset, self.initial_state)

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Run one time step: (B, F) to (B, H)."""
        outputs, state = self._run(Ragged(inputs, torch.ones(len(inputs), dtype=torch.int64)), state)
        return outputs.values, state

    def _run(self, inputs: Ragged, state: tuple[Tensor, ...]) -> tuple[Ragged, tuple[Tensor, ...]]:
        hidden, after = inputs, []
        for layer, memory in enumerate(state):
            window = _prepend(memory, hidden)
            first = window.offsets[:-1][hidden.sequence_ids.cpu()] + hidden.positions.cpu()  # (N,)
            first = first.to(hidden.values.device)
            taps = [window.values[first + j * 2**layer] for j in range(self.kernel_size)]  # (N, F) each
            values = self.norms[layer](self.taps[layer](torch.cat(taps, 1)).relu())  # (N, H)
            values = nn.functional.dropout(values, self.dropout, self.training)
            if values.shape == hidden.values.shape:
                values = values + hidden.values
            after.append(window.last_steps(self._memory(layer)).values.view(memory.shape))
            hidden = hidden.with_values(values)
        return hidden, tuple(after)


def _prepend(memory: Tensor, inputs: Ragged) -> Ragged:
    """Put the remembered steps (B, M, F) in front of every sequence."""
    steps = memory.shape[1]
    lengths = inputs.lengths + steps
    joined = torch.cat([memory.flatten(0, 1), inputs.values])
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])[:-1]  # (B,)
    old = (offsets[:, None] + torch.arange(steps)).flatten()  # (B * M,)
    new = offsets[inputs.sequence_ids.cpu()] + steps + inputs.positions.cpu()  # (N,)
    where = torch.empty(len(joined), dtype=torch.int64)
    where[torch.cat([old, new])] = torch.arange(len(joined))
    return Ragged(joined[where.to(joined.device)], lengths)
