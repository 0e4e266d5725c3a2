"""Next item: predicts which item of a catalogue a user's next event will have."""

from typing import Any

import torch
from torch import Tensor, nn

from unrolled.arrangements.base import SequenceLayer
from unrolled.batch import Batch, LossSum
from unrolled.errors import UnsupportedError
from unrolled.nn.event_reader import EventReader
from unrolled.nn.item_loss import DRAWN, LogUniform, bpr_max, choose_loss, sampled_softmax, without_the_true_item
from unrolled.nn.item_output import ItemOutput
from unrolled.nn.item_vectors import ItemVectors
from unrolled.ragged import Ragged

WATCHED_SEED = 0  # seed of the items drawn in validation, so that two evaluations can be compared


class NextItem(nn.Module):
    """A network that reads events and answers each with a query: the items whose vectors match it best come next.

    `batch.inputs["item"]` holds the items before each step, the start first; other inputs hold further columns of those
    events; `batch.targets` the items that follow. Unknown items are read, but add no loss. The items that the reader
    recalls are likely answers: a query starts from the vectors of those items, each with a learnt weight.

    Args:
        inputs: an `EventReader`.
        layers: a causal sequence layer of `inputs.size` features.
        loss: a name in `unrolled.nn.item_loss.LOSSES`.
        drawn: items drawn per batch, for the losses that draw.
        dropout: share of the outputs set to zero in training.

    Raises:
        UnsupportedError: a sequence layer that looks ahead, because it would read its own answers.

    Example:
        >>> from unrolled.nn.stack import Stack
        >>> net = NextItem(EventReader(ItemVectors(9, 4)), Stack(4, 8, cell="gru"))
        >>> before, after = torch.tensor([10, 3, 10]), torch.tensor([3, 5, 0])
        >>> events = Batch({"item": Ragged(before, [2, 1])}, targets=Ragged(after, [2, 1]))
        >>> net(events)[0].values.shape, net.loss(events).count
        (torch.Size([3, 4]), 3.0)
    """

    def __init__(
        self, inputs: EventReader, layers: SequenceLayer, loss: str = "auto", drawn: int = DRAWN, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if not layers.causal:
            raise UnsupportedError("the next item needs a causal layer: a bidirectional one would read the answer")
        self.inputs, self.layers = inputs, layers
        self.kind, self.drawn = choose_loss(loss, inputs.vectors.size), drawn
        self.query = nn.Linear(layers.output_size, inputs.vectors.width)
        self.trust = nn.Linear(layers.output_size, len(inputs.recalled)) if inputs.recalled else None
        self.dropout = nn.Dropout(dropout)
        self.proposal = LogUniform(inputs.vectors.size)

    @property
    def vectors(self) -> ItemVectors:
        """Vectors of the items, used for both input and scores."""
        return self.inputs.vectors

    @property
    def output(self) -> ItemOutput:
        """Output that gives a query its meaning."""
        return ItemOutput(self.vectors)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        """Return the queries after each step, (N, D) ragged, and the final state."""
        return self._queries(batch, self.vectors(self.inputs.items(batch)), state)

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """Return the summed loss over events whose item is known."""
        assert isinstance(batch.targets, Ragged), "targets are one item for each step"
        targets = batch.targets.values  # (N,)
        if self.kind == "cross_entropy":
            queries, state = self(batch, state)
            return LossSum(self.output.loss(queries.values, targets).sum(), self.output.count(targets), state)
        known = (targets < self.vectors.size).nonzero().squeeze(1)  # (M,)
        read, targets, drawn = self.inputs.items(batch), targets[known], self._draw().to(targets.device)  # (K,) drawn
        # one lookup in the table, so that its gradient is one list of rows
        looked = self.vectors(torch.cat([read, targets, drawn]))
        looked, true, others = looked.split([len(read), len(targets), len(drawn)])
        queries, state = self._queries(batch, looked, state)
        asked = queries.values[known]  # (M, D)
        bias = self.vectors.bias(torch.cat([targets, drawn])).squeeze(1)
        if self.kind == "sampled_softmax":  # frequent items are drawn more often, and get less weight for it
            bias = bias - self.proposal.log_expected(torch.cat([targets, drawn]), self.drawn)
        own = ((asked * true).sum(1) + bias[: len(targets)]).float()  # (M,)
        rivals = torch.addmm(bias[len(targets) :], asked, others.T).float()  # (M, K)
        rivals = without_the_true_item(rivals, targets, drawn)
        total = (bpr_max if self.kind == "bpr_max" else sampled_softmax)(own, rivals)
        return LossSum(total, float(len(known)), state)

    def _draw(self) -> Tensor:
        generator = None if self.training else torch.Generator().manual_seed(WATCHED_SEED)
        return self.proposal.draw(self.drawn, generator)

    def _queries(self, batch: Batch, looked: Tensor, state: Any) -> tuple[Ragged, Any]:
        outputs, state = self.layers(self.inputs(batch, looked), state, batch.reset)
        return outputs.with_values(self._asked(outputs.values, self.inputs.parts(looked))), state

    def _asked(self, outputs: Tensor, parts: Tensor) -> Tensor:
        """Return the queries (N, D) of outputs (N, H)."""
        outputs = self.dropout(outputs)
        asked = self.query(outputs)
        if self.trust is None:
            return asked
        return asked + torch.einsum("nr,rnd->nd", self.trust(outputs), parts[1:])

    def grow(self, size: int) -> None:
        """Add room for further items, see `ItemVectors.grown`."""
        self.inputs.vectors = self.vectors.grown(size)
        self.proposal = LogUniform(size)

    def initial_state(self, batch_size: int) -> Any:
        """Return the state before the first event."""
        return self.layers.initial_state(batch_size)

    def step(self, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        """Read one more event in every row and return queries (B, D)."""
        looked = self.vectors(self.inputs.items(batch))
        output, state = self.layers.step(self.inputs(batch, looked).values, state)
        return self._asked(output, self.inputs.parts(looked)), state
