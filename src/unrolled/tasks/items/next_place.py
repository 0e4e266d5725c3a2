"""NextPlace: predicts where users will go next from where they have been."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor

from unrolled.codecs.base import Spec
from unrolled.codecs.tables.places import PLACE, Places
from unrolled.data.event_log import EventLog
from unrolled.data.source import Source, as_table
from unrolled.data.trajectories import distance_km, positions
from unrolled.errors import OptionError, message
from unrolled.metrics.ranking import Ranked, place_scores
from unrolled.metrics.scores import Scores
from unrolled.tasks.items.event_columns import Columns
from unrolled.tasks.items.item_ranking import places
from unrolled.tasks.items.item_stream import DISTANCE, EventColumns
from unrolled.tasks.items.next_item import NextItemTask
from unrolled.tasks.kinds import ReadsVisits


class NextPlace(ReadsVisits, NextItemTask):
    """A ranking of all places for each user's next visit, from the visits so far.

    The inputs are the places, the hour and the weekday, the gaps and the distances between visits, and the user's own
    habits: where they went from here last time, where they were at this hour, where they are most often.

    Args:
        user: the column that identifies the user.
        place: the column that names the place; or `Places`, which finds places among positions.
        time: the column of times, usually of arrival; None if the rows are in order already.
        latitude: the column of latitudes, in degrees; None without positions.
        longitude: the column of longitudes.
        features: further columns of the visits, such as the minutes stayed; or codecs.
        own_history: read the user's own habits.
        cell: a name in `unrolled.cells.registry.CELLS`, or conv for a causal convolutional network.
        hidden_size: hidden units of each layer.
        embedding_size: width of a place's vector.
        num_layers: recurrent layers.
        dropout: share of values set to zero in training, of the inputs, between layers, and of the queries.
        loss: cross_entropy over all places; sampled_softmax or bpr_max over a random sample of them; or auto.
        layers: further options of `unrolled.nn.stack.Stack`.
        training: training options kept with the model; `fit` may override them.

    Source: Q. Liu et al., "Predicting the Next Location: A Recurrent Model with Spatial and Temporal Contexts", AAAI
    2016, section 3; own history: J. Feng et al., "DeepMove", WWW 2018, section 3.3.

    Example:
        >>> import unrolled as ur
        >>> day = ["home", "work", "gym"]
        >>> steps = [(user, step) for user in range(8) for step in range(30)]
        >>> visits = [{"user": u, "place": f"{day[t % 3]} {u}", "time": t * 28_800} for u, t in steps]
        >>> model = ur.NextPlace(hidden_size=16, embedding_size=8, dropout=0.0)
        >>> model.fit(visits, epochs=40, learning_rate=0.02, validation=0).predict(visits[:20], k=1)["place"].to_list()
        ['gym 0']
    """

    item_features = None

    def __init__(
        self,
        user: str = "user",
        place: str | Places = PLACE,
        time: str | None = "time",
        latitude: str | None = None,
        longitude: str | None = None,
        features: Columns = None,
        own_history: bool = True,
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
        self.place = place
        self.time = time
        self.latitude = latitude
        self.longitude = longitude
        self.features = features
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
        return PLACE if isinstance(self.place, Places) else self.place

    # ---- data ---------------------------------------------------------------------------------

    def _start_anew(self) -> None:
        super()._start_anew()
        self.places_ = None

    def _whole_log(self, source: Source, empty: bool = False) -> EventLog:
        return super()._whole_log(source if self.places_ is None else self.places_.table(source), empty)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        self._find_places(source)
        return super()._hold_out(source, share, seed)

    def _find_places(self, source: Source) -> None:
        """Find the places among all positions: which there are is known in advance, like the names of items."""
        if isinstance(self.place, Places) and self.places_ is None:
            self.places_ = copy.deepcopy(self.place).fit(as_table(source).frame)

    @property
    def _position(self) -> tuple[str, str] | None:
        """Names of the columns of latitude and longitude."""
        if isinstance(self.place, Places):
            return self.place.latitude, self.place.longitude
        if (self.latitude is None) != (self.longitude is None):
            raise OptionError(
                message("latitude, longitude", expected="both or neither", received=(self.latitude, self.longitude))
            )
        return None if self.latitude is None or self.longitude is None else (self.latitude, self.longitude)

    def _learn(self, source: Source) -> None:
        self._find_places(source)
        super()._learn(source)
        self.centres_ = None
        if self._position is not None:
            self.centres_ = self._centres(self._whole_log(source).frame)

    def _centres(self, visits: pl.DataFrame) -> np.ndarray:
        """Return the mean position of each place, (P, 2); NaN for a place without a position."""
        assert self._position is not None
        size = self.catalogue_.size
        points, items = positions(visits, *self._position), self.catalogue_.encode(visits[self._item])
        placed = ~np.isnan(points).any(1) & (items < size)
        sums = np.zeros((size, 2))
        np.add.at(sums, items[placed], points[placed])
        counts = np.bincount(items[placed], minlength=size)
        with np.errstate(invalid="ignore"):
            return sums / counts[:, None]

    def _extend(self, items: pl.DataFrame) -> None:
        super()._extend(items)
        if self.centres_ is not None:
            self.centres_ = np.concatenate([self.centres_, self._centres(items)[len(self.centres_) :]])

    def _columns(self, log: EventLog) -> dict[str, Tensor]:
        found = super()._columns(log)
        return found if self._position is None else {DISTANCE: torch.from_numpy(self._distances(log)), **found}

    def _distances(self, log: EventLog) -> np.ndarray:
        """Return log of 1 + kilometres from the visit before; 0 for first visits and missing positions: (N, 1)."""
        assert self._position is not None
        points = positions(log.frame, *self._position)
        before = np.roll(points, 1, 0)
        far = np.log1p(distance_km(points[:, 0], points[:, 1], (before[:, 0], before[:, 1])))
        return np.nan_to_num(np.where(places(log) == 0, 0.0, far))[:, None].astype(np.float32)

    def _specs(self) -> dict[str, Spec]:
        specs = super()._specs()
        return specs if self._position is None else {DISTANCE: Spec("vector", 1), **specs}

    def _event_columns(self) -> EventColumns:
        return replace(super()._event_columns(), places=self.places_, position=self._position)

    # ---- scores -------------------------------------------------------------------------------

    def _scored(
        self, log: EventLog, rows: np.ndarray, answer: Ranked, rivals: dict[str, Ranked], notes: tuple[str, ...]
    ) -> Scores:
        truth = self.catalogue_.encode(log.items[rows])
        return place_scores(answer, rivals, truth, self.centres_, notes)

    # ---- saving -------------------------------------------------------------------------------

    def _parameters_to_json(self) -> dict[str, Any]:
        own = super()._parameters_to_json()
        return own | ({"place": PLACE} if isinstance(self.place, Places) else {})

    def _learnt_to_json(self) -> dict[str, Any]:
        centres = None if self.centres_ is None else [[None if c != c else c for c in row] for row in self.centres_]
        places_ = None if self.places_ is None else self.places_.to_json()
        return {**super()._learnt_to_json(), "places": places_, "centres": centres}

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        super()._learnt_from_json(data)
        self.places_ = None if data["places"] is None else Places.from_json(data["places"])
        if self.places_ is not None:
            self.place = self.places_
        self.centres_ = None if data["centres"] is None else np.array(data["centres"], dtype=np.float64)
