"""Direct multi-step forecasting: at every step of a series, forecasts of all the next steps at once."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import SequenceLayer
from unrolled.batch import Batch, LossSum
from unrolled.errors import UnsupportedError
from unrolled.nn.heads import Output
from unrolled.nn.inputs import InputLayer
from unrolled.ragged import Ragged


class DirectForecast(nn.Module):
    """Forking sequences: a recurrent network reads the series, and forecasts the next `horizon` steps at every step.

    The answer is a correction to a naive forecast. It is the sum of three parts, so that the untrained network is the
    naive forecast minus its usual error, and training decides how far to depart from it:

    - a bias for each step ahead,
    - a linear map of this step's inputs and of the rival naive forecasts of the step ahead, which starts at zero,
    - an MLP shared by all steps ahead, over the hidden state, the known features of the step ahead and its position.

    The input "ahead" holds the known features of each step ahead, (N, horizon, A) ragged, the first `num_rivals`
    of A being the rival naive forecasts; all other inputs are read step by step.

    Args:
        inputs: the input layer of one step.
        layers: a causal Stack.
        output: a NumberOutput or QuantilesOutput for `horizon` numbers.
        horizon: steps ahead.
        ahead_size: features of one step ahead, A; at least 1.
        num_rivals: number of rival naive forecasts among them.
        dropout: share of the decoder's hidden values set to zero in training.
        bias: initial value of the bias, (horizon, values per step ahead); None = zeros.

    Source: R. Wen et al., "A Multi-Horizon Quantile Recurrent Forecaster", 2017, sections 3.2 and 3.3.
    """

    def __init__(
        self,
        inputs: InputLayer,
        layers: SequenceLayer,
        output: Output,
        horizon: int,
        ahead_size: int,
        num_rivals: int,
        dropout: float = 0.0,
        bias: Sequence[Sequence[float]] | None = None,
    ) -> None:
        if not layers.causal:
            raise UnsupportedError(
                "forecasting needs a causal layer: a bidirectional one would read the answer; use bidirectional=False"
            )
        super().__init__()
        self.inputs = inputs
        self.layers = layers
        self.output = output
        self.horizon = horizon
        self.num_rivals = num_rivals
        values = output.width // horizon  # 1, or the number of quantiles
        width = layers.output_size
        self.from_state = nn.Linear(width, width)
        self.from_ahead = nn.Linear(ahead_size, width, bias=False)
        self.position = nn.Embedding(horizon, width)
        nn.init.normal_(self.position.weight, std=0.1)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(width, values, bias=False)
        nn.init.zeros_(self.answer.weight)
        self.rivals = nn.Parameter(torch.zeros(horizon, num_rivals, values))
        self.bias = nn.Parameter(torch.zeros(horizon, values))
        self.short_cut = nn.Linear(inputs.size, output.width, bias=False)
        nn.init.zeros_(self.short_cut.weight)
        if bias is not None:
            with torch.no_grad():
                self.bias.copy_(torch.as_tensor(bias, dtype=self.bias.dtype))

    def decode(self, inputs: Tensor, hidden: Tensor, ahead: Tensor) -> Tensor:
        """Return raw answers (M, width) from inputs (M, F), hidden states (M, H) and features ahead (M, horizon, A)."""
        joined = self.from_state(hidden)[:, None] + self.from_ahead(ahead) + self.position.weight
        deep = self.answer(self.dropout(nn.functional.gelu(joined)))  # (M, horizon, values)
        linear = torch.einsum("mha,hav->mhv", ahead[..., : self.num_rivals], self.rivals)
        return (deep + linear + self.bias).flatten(1) + self.short_cut(inputs)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        """Return the raw answers of every step, (N, output.width) ragged, and the final state."""
        inputs = self.inputs(batch)
        hidden, state = self.layers(inputs, state, batch.reset)
        ahead = batch.inputs["ahead"]
        assert isinstance(ahead, Ragged)
        return hidden.with_values(self.decode(inputs.values, hidden.values, ahead.values)), state

    def forecast(self, batch: Batch) -> tuple[Tensor, Any]:
        """Return the raw answers after the last step only, (B, output.width); `statics["ahead"]` is (B, horizon, A)."""
        inputs = self.inputs(batch)
        hidden, state = self.layers(inputs)
        return self.decode(inputs.last(), hidden.last(), batch.statics["ahead"]), state

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """Return the summed loss over all known steps ahead of all steps."""
        raw, state = self(batch, state)
        assert isinstance(batch.targets, Ragged), "targets are the next `horizon` numbers of every step"
        targets = batch.targets.values
        return LossSum(self.output.loss(raw.values, targets).sum(), self.output.count(targets), state)

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before the first step."""
        return self.layers.initial_state(batch_size)

    def step(self, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        """Read one more step in every row and return raw answers (B, output.width)."""
        inputs = self.inputs(batch)
        hidden, state = self.layers.step(inputs.values, state)
        ahead = batch.inputs["ahead"]
        assert isinstance(ahead, Ragged)
        return self.decode(inputs.values, hidden, ahead.values), state
