"""Dilated convolutions with the interface of a Stack: beside recurrent layers, or in place of them for comparison."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.errors import OptionError, ShapeError, message
from unrolled.nn.stack import looks_ahead
from unrolled.nn.unroll import restarting
from unrolled.ragged import Ragged
from unrolled.shapes import Reset

MOST_LAYERS = 1000  # the net sees 2**L steps


class Convolutions(nn.Module):
    """Dilated convolutions with residual blocks; the taps of layer l lie 2**l steps apart.

    A causal net looks back (kernel_size - 1) * 2**l steps in layer l. Its state is the last inputs of every layer, so
    that chunks and single steps equal the whole pass. A centred net looks as far ahead as back, and has no state. Time
    and memory grow with the steps there are, however unequal the lengths: nothing is padded to the longest sequence.

    Args:
        input_size: features of one step, F.
        hidden_size: number of channels of every layer, H.
        num_layers: number of convolutions, L; the net sees (kernel_size - 1) * (2**L - 1) + 1 steps.
        kernel_size: number of taps of each convolution.
        dropout: share of the values zeroed after each layer while training.
        causal: read only the steps up to the present one; False centres every kernel on it.

    Raises:
        OptionError: an illegal value.

    Source: S. Bai et al., "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for Sequence
    Modeling", 2018, section 3 (one convolution per block, layer norm in place of weight norm).

    Example:
        >>> import torch
        >>> from unrolled.ragged import Ragged
        >>> net = Convolutions(3, 8, num_layers=2, causal=False)
        >>> outputs, state = net(Ragged(torch.randn(5, 3), [2, 3]))
        >>> outputs.values.shape, state
        (torch.Size([5, 8]), ())
    """

    backwards = range(0)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 5,
        kernel_size: int = 3,
        dropout: float = 0.0,
        causal: bool = True,
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
        self.causal = causal
        widths = [input_size] + [hidden_size] * (num_layers - 1)
        self.taps = nn.ModuleList(nn.Linear(kernel_size * width, hidden_size) for width in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in widths)
        self.widths = widths

    @staticmethod
    def num_weights(input_size: int, hidden_size: int, num_layers: int = 5, kernel_size: int = 3) -> int:
        """Return the number of weights of such a net without making it; arguments as in the constructor.

        Example:
            >>> from unrolled.nn.convolutions import Convolutions
            >>> Convolutions.num_weights(3, 4) == sum(weight.numel() for weight in Convolutions(3, 4).parameters())
            True
        """
        taps = kernel_size * (input_size + (num_layers - 1) * hidden_size) * hidden_size
        return taps + num_layers * 3 * hidden_size  # a bias, and the gain and bias of a layer norm

    def kept(self, steps: int) -> int:
        """Estimate how many numbers are kept for the backward pass over `steps` steps."""
        return steps * sum(self.kernel_size * width + 4 * self.output_size for width in self.widths)

    def initial_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return zeros in place of the inputs before the first step: (B, memory, F or H) per layer; () if centred."""
        if not self.causal:
            return ()
        like = self.norms[0].weight
        return tuple(
            like.new_zeros(batch_size, self._span(layer), width)  # type: ignore[operator]
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
        """Run one time step: (B, F) to (B, H).

        Raises:
            UnsupportedError: a centred net.
        """
        if not self.causal:
            raise looks_ahead("a centred convolution")
        outputs, state = self._run(Ragged(inputs, torch.ones(len(inputs), dtype=torch.int64)), state)
        return outputs.values, state

    def _span(self, layer: int) -> int:
        """Return the number of steps from the first tap of a layer to its last one."""
        return (self.kernel_size - 1) * 2**layer

    def _run(self, inputs: Ragged, state: tuple[Tensor, ...]) -> tuple[Ragged, tuple[Tensor, ...]]:
        hidden, after = inputs, []
        for layer, width in enumerate(self.widths):
            span = self._span(layer)
            back = span if self.causal else span // 2
            nothing = hidden.values.new_zeros(hidden.batch_size, max(back, span - back), width)
            memory = state[layer] if self.causal else nothing
            line = _Line(memory, hidden, span - back)
            first = line.places - back  # (N,)
            apart = torch.arange(self.kernel_size, device=first.device) * 2**layer  # (K,)
            taps = line.values.index_select(0, (first[:, None] + apart).flatten())  # (N * K, F)
            values = self.norms[layer](
                self.taps[layer](taps.view(len(first), self.kernel_size * width)).relu()
            )  # (N, H)
            values = nn.functional.dropout(values, self.dropout, self.training)
            if values.shape == hidden.values.shape:
                values = values + hidden.values
            if self.causal:
                after.append(line.tails(span).view(memory.shape))
            hidden = hidden.with_values(values)
        return hidden, tuple(after)


class _Line:
    """Sequences end to end with M steps in front of each, and some zeros behind the last one."""

    def __init__(self, memory: Tensor, inputs: Ragged, behind: int) -> None:
        rows, steps, width = memory.shape
        device = inputs.values.device
        starts = inputs.offsets + steps * torch.arange(rows + 1)  # (B + 1,) of each memory
        fronts = (starts[:-1, None] + torch.arange(steps)).flatten()  # (B * M,)
        shift = torch.repeat_interleave(steps * torch.arange(1, rows + 1), inputs.lengths)
        self.places = (torch.arange(inputs.num_steps) + shift).to(device)  # (N,) of each step
        self._ends = starts[1:]
        empty = inputs.values.new_zeros(int(starts[-1]) + behind, width)
        where = torch.cat([fronts.to(device), self.places])
        self.values = empty.index_copy(0, where, torch.cat([memory.flatten(0, 1), inputs.values]))

    def tails(self, steps: int) -> Tensor:
        """Return the last M steps of each sequence with what is in front of it, (B * M, F)."""
        last = (self._ends[:, None] + torch.arange(-steps, 0)).flatten()
        return self.values.index_select(0, last.to(self.values.device))
