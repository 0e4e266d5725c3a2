"""Recommender: from what users did to what they will want next."""

from collections.abc import Mapping
from typing import Any

from unrolled.tasks.items.event_columns import Columns
from unrolled.tasks.items.next_item import NextItemTask


class Recommender(NextItemTask):
    """Ranks all items for each user's next event, from the events so far.

    A user is known by what he did: newcomers need no training, only their events.

    Args:
        user: the column that says whose event it is: a user, or a session. None for a table with a list of items in
            each row, which is then one session.
        item: the column that says what the event is about.
        time: the column of times; None where the rows are in order already. The gaps between events, and hours and
            weekdays where the times are dates, are then read too.
        features: further columns of the events, such as the price paid or the seconds spent; or codecs.
        item_features: columns that say what the items are like, such as a category; an item that was never seen is then
            known by them, see `add_items`.
        own_history: also read what the user's own habits suggest: what followed last time, what he had most often.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for the convolution rival.
        hidden_size: hidden units of each layer.
        embedding_size: width of an item's vector.
        num_layers: recurrent layers.
        dropout: share of values zeroed in training, of what is read, between layers, and of the queries.
        loss: cross_entropy over the catalogue; sampled_softmax or bpr_max over a drawn part of it, for large ones; or
            auto.
        layers: further options of `unrolled.nn.stack.Stack`.
        training: training options kept with the model; `fit` may override them.

    Source: B. Hidasi et al., "Session-based Recommendations with Recurrent Neural Networks", ICLR 2016, section 3.

    Example:
        >>> import unrolled as ur
        >>> sessions = [["tea", "milk", "cup"], ["cup", "tea", "milk"]] * 40
        >>> model = ur.Recommender(user=None, item="x", hidden_size=16, embedding_size=8, dropout=0.0)
        >>> answers = model.fit(sessions, epochs=30, learning_rate=0.02).predict([["milk", "cup", "tea"]], k=1)
        >>> answers["x"].to_list()
        ['milk']
    """

    def __init__(
        self,
        user: str | None = "user",
        item: str = "item",
        time: str | None = None,
        features: Columns = None,
        item_features: Columns = None,
        own_history: bool = False,
        cell: str = "gru",
        hidden_size: int = 128,
        embedding_size: int = 64,
        num_layers: int = 1,
        dropout: float = 0.2,
        loss: str = "auto",
        layers: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        self.user = user
        self.item = item
        self.time = time
        self.features = features
        self.item_features = item_features
        self.own_history = own_history
        self.cell = cell
        self.hidden_size = hidden_size
        self.embedding_size = embedding_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.loss = loss
        self.layers = layers
        self.training = training

    @property
    def _item(self) -> str:
        return self.item
