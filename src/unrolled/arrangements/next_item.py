"""Next item: which item of a catalogue a user's next event will be about."""

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
WATCHED_SEED = 0  # of the items drawn while watching, so that two looks can be compared


class NextItem(nn.Module):
    """Reads events, and answers each with a query: the items whose vectors fit it best come next.

    `batch.inputs["item"]` holds the items before each step, the start first; other inputs, what else those events were
    like; `batch.targets` the items that follow. Unknown items are read, but cost nothing.

    Args:
        vectors: of the items.
        inputs: the input layer of the events' other columns; None without any.
        layers: a causal sequence layer of `vectors.width + inputs.size` features.
        loss: a name in `unrolled.nn.item_loss.LOSSES`.
        drawn: items drawn for each batch, for the losses that draw.
        dropout: share of values zeroed in training, of what is read and of the queries.

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
    ) -> None:
        super().__init__()
        if not layers.causal:
            raise UnsupportedError("the next item needs a causal layer: a bidirectional one would read the answer")
        self.vectors, self.inputs, self.layers = vectors, inputs, layers
        self.kind, self.drawn = choose_loss(loss, vectors.size), drawn
        self.query = nn.Linear(layers.output_size, vectors.width)
        self.dropout = nn.Dropout(dropout)
        self.proposal = LogUniform(vectors.size)

    def forward(self, batch: Batch, state: Any = None) -> tuple[Ragged, Any]:
        """Queries after each step, (N, D) ragged, and the final state."""
        return self._queries(batch, self.vectors(self._items(batch).values), state)

    def loss(self, batch: Batch, state: Any = None) -> LossSum:
        """The summed loss over events whose item is known."""
        assert isinstance(batch.targets, Ragged), "targets are one item for each step"
        items, targets = self._items(batch).values, batch.targets.values  # (N,)
        known = (targets < self.vectors.size).nonzero().squeeze(1)  # (M,)
        targets = targets[known]
        if self.kind == "cross_entropy":
            queries, state = self._queries(batch, self.vectors(items), state)
            scores = self.vectors.score(queries.values[known], 0, self.vectors.size)  # (M, V)
            return LossSum(cross_entropy(scores.float(), targets, reduction="sum"), float(len(known)), state)
        drawn = self._draw().to(items.device)  # (K,)
        # one look into the table, so that its gradient is one list of rows
        read, true, others = self.vectors(torch.cat([items, targets, drawn])).split(
            [len(items), len(targets), len(drawn)]
        )
        queries, state = self._queries(batch, read, state)
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

    def _items(self, batch: Batch) -> Ragged:
        items = batch.inputs[ITEM]
        assert isinstance(items, Ragged)
        return items

    def _queries(self, batch: Batch, read: Tensor, state: Any) -> tuple[Ragged, Any]:
        outputs, state = self.layers(self._joined(batch, read), state, batch.reset)
        return outputs.map(self._asked), state

    def _joined(self, batch: Batch, read: Tensor) -> Ragged:
        values = read if self.inputs is None else torch.cat([read, self.inputs(batch).values], 1)  # (N, F)
        return Ragged(self.dropout(values), batch.lengths)

    def _asked(self, outputs: Tensor) -> Tensor:
        return self.query(self.dropout(outputs))

    def grow(self, size: int) -> None:
        """Make room for further items, see `ItemVectors.grown`."""
        self.vectors = self.vectors.grown(size)
        self.proposal = LogUniform(size)

    def initial_state(self, batch_size: int) -> Any:
        """The state before the first event."""
        return self.layers.initial_state(batch_size)

    def step(self, batch: Batch, state: Any) -> tuple[Tensor, Any]:
        """One more event for every row: queries (B, D)."""
        read = self.vectors(self._items(batch).values)
        output, state = self.layers.step(self._joined(batch, read).values, state)
        return self._asked(output), state
