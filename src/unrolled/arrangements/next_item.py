"""Next item: which item of a catalogue a user's next event will be about."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unrolled.arrangements.base import SequenceLayer
from unrolled.batch import Batch, LossSum
from unrolled.errors import UnsupportedError
from unrolled.nn.inputs import InputLayer
from unrolled.nn.item_loss import DRAWN, LogUniform, bpr_max, choose_loss, sampled_softmax
from unrolled.nn.item_vectors import ItemVectors
from unrolled.ragged import Ragged

ITEM = "item"  # the input: what the event before each step was about
# a table that scores must start small, a row's variance 1 / D; what is read should start with 1: this is half-way
READ_SCALE = 0.25
WATCHED_SEED = 0  # of the items drawn while watching, so that two looks can be compared


class NextItem(nn.Module):
    """Reads events, and answers each with a query: the items whose vectors fit it best come next.

    `batch.inputs["item"]` holds the items before each step, the start first; other inputs, what else those events were
    like; `batch.targets` the items that follow. Unknown items are read, but cost nothing.

    Args:
        vectors: of the items.
        inputs: the input layer of the events' other columns; None without any.
        layers: a causal sequence layer of `vectors.width * (1 + len(recalled)) + inputs.size` features.
        loss: a name in `unrolled.nn.item_loss.LOSSES`.
        drawn: items drawn for each batch, for the losses that draw.
        dropout: share of values zeroed in training, of what is read and of the queries.
        recalled: names of further inputs that hold items; each is also an answer that lies at hand, so that a query
            starts from the sum of their vectors, each by a weight that is learnt.

    Raises:
        UnsupportedError: a sequence layer that looks ahead, for it would read its own answers.

    Example:
        >>> from unrolled.nn.stack import Stack
        >>> net = NextItem(ItemVectors(9, 4), None, Stack(4, 8, cell="gru"))
        >>> before, after = torch.tensor([10, 3, 10]), torch.tensor([3, 5, 0])
        >>> events = Batch({"item": Ragged(before, [2, 1])}, targets=Ragged(after, [2, 1]))
        >>> net(events)[0].values.shape, net.loss(events).count
        (torch.Size([3, 4]), 3.0)
    """

    def __init__(
        self,
        vectors: ItemVectors,
        inputs: InputLayer | None,
        layers: SequenceLayer,
        loss: str = "auto",
        drawn: int = DRAWN,
        dropout: float = 0.0,
        recalled: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if not layers.causal:
            raise UnsupportedError("the next item needs a causal layer: a bidirectional one would read the answer")
        self.vectors, self.inputs, self.layers = vectors, inputs, layers
        self.kind, self.drawn = choose_loss(loss, vectors.size), drawn
        self.recalled = tuple(recalled)
        self.query = nn.Linear(layers.output_size, vectors.width)
        self.trust = nn.Linear(layers.output_size, len(self.recalled)) if self.recalled else None
        self.dropout = nn.Dropout(dropout)
        self.proposal = LogUniform(vectors.size)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        """Queries after each step, (N, D) ragged, and the final state."""
        return self._queries(batch, self.vectors(self._read(batch)), state)

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """The summed loss over events whose item is known."""
        assert isinstance(batch.targets, Ragged), "targets are one item for each step"
        read, targets = self._read(batch), batch.targets.values  # (N * R,), (N,)
        known = (targets < self.vectors.size).nonzero().squeeze(1)  # (M,)
        targets = targets[known]
        if self.kind == "cross_entropy":
            queries, state = self._queries(batch, self.vectors(read), state)
            scores = self.vectors.score(queries.values[known], 0, self.vectors.size)  # (M, V)
            return LossSum(cross_entropy(scores.float(), targets, reduction="sum"), float(len(known)), state)
        drawn = self._draw().to(read.device)  # (K,)
        # one look into the table, so that its gradient is one list of rows
        looked, true, others = self.vectors(torch.cat([read, targets, drawn])).split(
            [len(read), len(targets), len(drawn)]
        )
        queries, state = self._queries(batch, looked, state)
        asked = queries.values[known]  # (M, D)
        bias = self.vectors.bias(torch.cat([targets, drawn])).squeeze(1)
        own = ((asked * true).sum(1) + bias[: len(targets)]).float()  # (M,)
        rivals = torch.addmm(bias[len(targets) :], asked, others.T).float()  # (M, K)
        same = targets[:, None] == drawn
        if self.kind == "bpr_max":
            total = bpr_max(own, rivals, same)
        else:
            expected = self.proposal.log_expected(torch.cat([targets, drawn]), self.drawn)
            total = sampled_softmax(own, rivals, same, expected[: len(targets)], expected[len(targets) :])
        return LossSum(total, float(len(known)), state)

    def _draw(self) -> Tensor:
        generator = None if self.training else torch.Generator().manual_seed(WATCHED_SEED)
        return self.proposal.draw(self.drawn, generator)

    def _read(self, batch: Batch) -> Tensor:
        """All items that are read: those of the events, then what is recalled, (N * R,)."""
        columns = [batch.inputs[name] for name in (ITEM, *self.recalled)]
        return torch.cat([column.values for column in columns if isinstance(column, Ragged)])

    def _queries(self, batch: Batch, looked: Tensor, state: Any) -> tuple[Ragged, Any]:
        parts = looked.view(1 + len(self.recalled), -1, self.vectors.width)  # (R, N, D)
        outputs, state = self.layers(self._joined(batch, parts), state, batch.reset)
        return outputs.with_values(self._asked(outputs.values, parts)), state

    def _joined(self, batch: Batch, parts: Tensor) -> Ragged:
        parts = parts * self.vectors.width**READ_SCALE
        values = [*parts, *([] if self.inputs is None else [self.inputs(batch).values])]
        return Ragged(self.dropout(torch.cat(values, 1)), batch.lengths)  # (N, F)

    def _asked(self, outputs: Tensor, parts: Tensor) -> Tensor:
        """Queries (N, D) of outputs (N, H)."""
        outputs = self.dropout(outputs)
        asked = self.query(outputs)
        if self.trust is None:
            return asked
        return asked + torch.einsum("nr,rnd->nd", self.trust(outputs), parts[1:])

    def initial_state(self, batch_size: int) -> Any:
        """The state before the first event."""
        return self.layers.initial_state(batch_size)

    def step(self, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        """One more event for every row: queries (B, D)."""
        parts = self.vectors(self._read(batch)).view(1 + len(self.recalled), -1, self.vectors.width)
        output, state = self.layers.step(self._joined(batch, parts).values, state)
        return self._asked(output, parts), state

    def grow(self, size: int) -> None:
        """Make room for further items, see `ItemVectors.grown`."""
        self.vectors = self.vectors.grown(size)
        self.proposal = LogUniform(size)
