"""The common parts of the arrangements of a sequence layer: its interface and the final linear layer."""

from typing import Any, Protocol

from torch import Tensor, nn

from unrolled.errors import OptionError, message
from unrolled.nn.heads import Output
from unrolled.ragged import Ragged
from unrolled.shapes import Reset


class SequenceLayer(Protocol):
    """A Stack, or any layer with its interface; `backwards` are the features of a backward direction."""

    causal: bool
    output_size: int
    backwards: range

    def __call__(
        self, inputs: Ragged, state: Any = None, reset: Reset | None = None, want_state: bool = True
    ) -> tuple[Ragged, Any]: ...

    def step(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]: ...

    def initial_state(self, batch_size: int) -> Any: ...


class Head(nn.Module):
    """Dropout and the linear layer from hidden units to the raw numbers of the output."""

    def __init__(self, input_size: int, output: Output, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise OptionError(message("dropout", expected="a number in [0, 1)", received=dropout))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(input_size, output.width)

    def forward(self, values: Tensor) -> Tensor:
        return self.linear(self.dropout(values))  # (M, width)
