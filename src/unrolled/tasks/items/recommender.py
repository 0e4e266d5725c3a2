"""Recommender: predicts what users will want next from what they did."""

from collections.abc import Mapping
from typing import Any

from unrolled.tasks.items.event_columns import Columns
from unrolled.tasks.items.next_item import NextItemTask


class Recommender(NextItemTask):
    """A ranking of all items for each user's next event, from the events so far.

    Users are represented by their events only, so new users need no training.

    Args:
        user: the column that identifies the user or the session. None for a table with one list of items
            per row; each row is then one session.
        item: the column that names the item of the event.
        time: the column of times; None if the rows are in order already. The gaps between events, and hours and
            weekdays if the times are dates, are then read too.
        features: further columns of the events, such as the price paid or the seconds spent; or codecs.
        item_features: columns that describe the items, such as a category; an item that was never seen is then
            represented by them, see `add_items`.
        own_history: also read suggestions from the user's own history: what followed last time, what is most frequent.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer.
        embedding_size: width of an item's vector.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, of the inputs, between layers, and of the queries.
        loss: cross_entropy over the catalogue; sampled_softmax or bpr_max over a random sample of it, for large ones;
            or auto.
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
