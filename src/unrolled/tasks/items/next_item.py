"""The common base of the tasks that predict the item of a user's next event."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from unrolled.arrangements.next_item import NextItem
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import item_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.codecs.tables.catalogue import Catalogue, ItemNames
from unrolled.codecs.tables.event_time import EventTimes
from unrolled.codecs.tables.own_history import AFTER, HOUR, MOST, recalled
from unrolled.data.batching import BatchSource, Buckets, Lanes
from unrolled.data.event_log import EventLog, event_log
from unrolled.data.source import Source, Table, as_table
from unrolled.decoding.retrieval import best_items
from unrolled.errors import OptionError, finite_number, message, whole_number
from unrolled.metrics.ranking import Ranked, ranking_scores
from unrolled.metrics.scores import Scores
from unrolled.nn.event_reader import ITEM, EventReader
from unrolled.nn.inputs import InputLayer
from unrolled.nn.item_loss import choose_loss
from unrolled.nn.item_vectors import ItemVectors
from unrolled.ragged import Ragged
from unrolled.streaming.network_steps import NetworkSteps
from unrolled.tasks.base import Task
from unrolled.tasks.items.event_columns import Columns, before_each, encode_columns, learn_columns, stepwise
from unrolled.tasks.items.event_report import note_events
from unrolled.tasks.items.held_events import hold_out, numbered, questions_of, without_left_out
from unrolled.tasks.items.item_ranking import item_filters, owners, places, queries_after, questions, ranked, ranked_by
from unrolled.tasks.items.item_saving import SavedEvents
from unrolled.tasks.items.item_stream import DISTANCE, TIMES, EventColumns, ItemReader
from unrolled.tasks.items.known_users import KnownUsers
from unrolled.tasks.kinds import ReadsEvents
from unrolled.tasks.shared.column_codecs import require
from unrolled.tasks.shared.online_learning import joined
from unrolled.tasks.shared.option_checks import MOST_STEPS, check_flag
from unrolled.tasks.shared.replay import Replay
from unrolled.training.callbacks import Callback
from unrolled.training.isolation import Apart
from unrolled.training.options import TrainingOptions
from unrolled.training.trainer import Trainer

LARGE = 20_000  # items; for larger catalogues the gradient of the embedding table is sparse
MAX_LANES, MIN_UPDATES = 128, 30  # maximum number of parallel users; fewer if an epoch would have fewer updates


class NextItemTask(ReadsEvents, SavedEvents, Task):
    """A task that reads events and ranks the catalogue for the next one."""

    user: str | None
    time: str | None
    features: Columns
    item_features: Columns
    own_history: bool
    cell: str
    hidden_size: int
    embedding_size: int
    num_layers: int
    dropout: float
    loss: str
    layers: Mapping[str, Any] | None

    training_defaults: ClassVar[Mapping[str, Any]] = {"bptt_steps": 32, "learning_rate": 1e-2}

    # ---- data ---------------------------------------------------------------------------------

    @property
    @abstractmethod
    def _item(self) -> str:
        """Name of the column that holds the items."""

    def _start_anew(self) -> None:
        self.times_ = None

    def _log(self, source: Source, empty: bool = False) -> EventLog:
        return without_left_out(self._whole_log(source, empty))

    def _whole_log(self, source: Source, empty: bool = False) -> EventLog:
        """Return the events of a source, with those that nothing may be learnt from."""
        form = None if self.times_ is None else self.times_.form
        return event_log(source, self.user, self._item, self.time, empty, form)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        """Split off the latest events, because a recommender predicts what comes next for users it may know."""
        if not share:
            return source, None
        table = numbered(as_table(source), self._item)
        train, held = hold_out(table, self._log(table), share, seed)
        return (source, None) if held is None else (train, held)

    def _learn(self, source: Source) -> None:
        self.times_ = None  # those of an earlier fit
        whole = self._whole_log(source)
        log = without_left_out(whole)
        self.catalogue_, self.users_ = Catalogue().fit(log.items).extended(whole.items), self._users_of(log)
        choose_loss(self.loss, self.catalogue_.size)
        self.times_ = None if log.seconds is None else EventTimes.learnt(log)
        self.features_ = learn_columns(self.features, log.frame, "features")
        self.item_features_, self._described = None, None
        if self.item_features is not None:
            items = self._items_of(log)
            self.item_features_ = learn_columns(self.item_features, items, "item_features")
            assert self.item_features_ is not None
            further = self._items_of(whole).join(items, on=self._item, how="anti", maintain_order="left")
            items = pl.concat([items, further])
            index = torch.from_numpy(self.catalogue_.encode(items[self._item]))
            self._described = encode_columns(self.item_features_, items), index

    def _users_of(self, log: EventLog, known: KnownUsers | None = None) -> KnownUsers:
        """Return the users of a log and those known before; none where the rows are sessions without a user."""
        known = known or KnownUsers()
        return known if self.user is None else known.joined(log.users)

    def _items_of(self, log: EventLog) -> pl.DataFrame:
        """Return one row per item, with the feature values of its last event."""
        return log.frame.unique(self._item, keep="last", maintain_order=True)

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        return self._steps(self._log(source, empty=not targets), whole=not targets)

    def _steps(self, log: EventLog, whole: bool) -> Batch:
        """Return the inputs before each event, and its item; with `whole` also those after the last event."""
        items, size = self.catalogue_.encode(log.items), self.catalogue_.size
        lengths = torch.from_numpy(log.lengths)
        start, own = size + 1, torch.from_numpy(items)
        inputs = {ITEM: before_each(own, lengths, start, whole)}
        if self.own_history:
            for name, values in recalled(log, items, nothing=start).items():
                inputs[name] = before_each(torch.from_numpy(values), lengths, start, whole)
        for name, values in self._columns(log).items():
            inputs[name] = before_each(values, lengths, 0, whole)
        asked = questions_of(log)
        targets = own if asked is None else torch.from_numpy(np.where(asked, items, size))  # the unknown adds no loss
        return Batch(dict(inputs), targets=None if whole else Ragged(targets, lengths))

    def _columns(self, log: EventLog) -> dict[str, Tensor]:
        """Return the further columns of each event, encoded: (N, ...) by name."""
        found = {} if self.times_ is None else {TIMES: torch.from_numpy(self.times_.encode(log))}
        return found | ({} if self.features_ is None else encode_columns(self.features_, log.frame))

    def _summarise(self, source: Source, examples: Any) -> dict[str, Any]:
        log = self._log(source)
        return {
            "events": int(log.lengths.sum()),
            "users": len(log.lengths),
            "items": self.catalogue_.size,
            "median events of a user": int(np.median(log.lengths)),
            "order": str(log.report),
        }

    # ---- learning -----------------------------------------------------------------------------

    def _specs(self) -> dict[str, Spec]:
        specs = {} if self.times_ is None else {TIMES: Spec("vector", self.times_.size)}
        return specs | ({} if self.features_ is None else stepwise(self.features_.specs))

    def _recalled(self) -> tuple[str, ...]:
        """Return the names of the inputs that hold suggestions from the user's own history."""
        if not self.own_history:
            return ()
        return (AFTER, MOST, HOUR) if self.times_ is not None and self.times_.calendar else (AFTER, MOST)

    def _make_network(self) -> nn.Module:
        size, specs = self.catalogue_.size, self._specs()
        described = None if self.item_features_ is None else self.item_features_.specs
        sparse = size >= LARGE and choose_loss(self.loss, size) != "cross_entropy"
        vectors = ItemVectors(size, self.embedding_size, described, sparse)
        if self._described is not None:
            vectors.describe(*self._described)
        columns = InputLayer(specs) if specs else None
        inputs = EventReader(vectors, columns, self._recalled(), self.dropout)
        layers = self._make_layers(inputs.size)
        return NextItem(inputs, layers, self.loss, dropout=self.dropout)

    def _batches(self, examples: Any, options: TrainingOptions, shuffle: bool) -> BatchSource:
        steps = options.bptt_steps
        per_update = steps or max(1, examples.num_steps // max(1, examples.batch_size))
        rows = options.batch_size or min(MAX_LANES, max(4, examples.num_steps // (MIN_UPDATES * per_update)))
        if not steps:
            return Buckets(examples, rows, options.seed, shuffle)
        return Lanes(examples, rows, steps, options.seed, shuffle)

    def _train(
        self, examples: Any, watched: Any, settings: TrainingOptions, callbacks: Sequence[Callback], **how: Any
    ) -> None:
        super()._train(examples, watched, settings, callbacks, **how)
        self.replay_ = Replay.of(examples, np.random.default_rng(settings.seed))

    # ---- further training ---------------------------------------------------------------------

    def partial_fit(self, data: Any, y: Any = None, *, replay: float = 1.0, **options: Any) -> Self:
        """Train on new events, and replay a sample of the old ones, so that they are not forgotten.

        New items are added to the catalogue. Baselines and scores stay those of the last `fit`.

        Args:
            data: new events, in the form that `fit` takes.
            y: not used; the next item is the target.
            replay: old events that are replayed per new one.
            options: training options that override those of `fit`; default: one epoch at a third of the learning rate.

        Returns:
            self.
        """
        if not self._is_fitted:
            return self.fit(data, **options)
        replay = finite_number("replay", replay, least=0)
        rate = {**self.training_defaults, **(self.training or {})}["learning_rate"] / 3
        chosen = {"epochs": 1, "learning_rate": rate, "schedule": "constant", **options, "validation": 0.0}
        settings = TrainingOptions.from_keywords(chosen, {**self.training_defaults, **(self.training or {})})
        log = self._log(self._source(data))
        note_events(log, self.catalogue_, self.users_)
        self._extend(self._items_of(log))
        known = self.catalogue_.encode(log.items)
        self.catalogue_.counts_ = self.catalogue_.counts_ + np.bincount(known, minlength=self.catalogue_.size)
        new = self._steps(log, whole=False)
        draw = np.random.default_rng(self.replay_.seen + settings.seed)
        examples = joined([new, self.replay_.drawn(round(replay * new.num_steps), draw)]) if replay else new
        Trainer(self.network_, self._batches(examples, settings, shuffle=True), settings).run()
        self.network_.to("cpu").eval()
        self.replay_ = self.replay_.absorbed(new, draw)
        self.users_ = self._users_of(log, self.users_)
        if self.rival_ is not None:
            self.rival_.partial_fit(data, replay=replay, **options)
        return self

    def add_items(self, data: Any) -> Self:
        """Add new items to the catalogue, known by their features alone.

        Args:
            data: a table with one row per item: its name, and the columns of `item_features`.

        Returns:
            self.

        Raises:
            OptionError: a model without item features, which could not represent a new item.
        """
        self._fitted()
        if self.item_features_ is None:
            raise OptionError(
                message("item_features", expected="a model with features of the items", received="none",
                        remedy="fit with item_features=, or show new items in use with partial_fit")
            )  # fmt: skip
        source = self._source(data)
        self._extend(as_table(source).frame)
        if self.rival_ is not None:
            self.rival_.add_items(data)
        return self

    def _extend(self, items: pl.DataFrame) -> None:
        """Add the items that are not known yet, one per row, to the catalogue and the network."""
        require(Table(items), [self._item])
        before = self.catalogue_.size
        longer = self.catalogue_.extended(items[self._item])
        if longer.size == before:
            return
        index = longer.encode(items[self._item])
        fresh = np.flatnonzero((index >= before) & (index < longer.size))
        described = {} if self.item_features_ is None else encode_columns(self.item_features_, items[fresh])
        self.replay_.shift((ITEM, *self._recalled()), before, longer.size - before)
        self.catalogue_ = longer
        with Apart(longer.size).drawing():
            self.network_.grow(longer.size)
        self.network_.vectors.describe(described, torch.from_numpy(index[fresh]))

    # ---- answers ------------------------------------------------------------------------------

    def predict(self, data: Any, k: int = 10, exclude_seen: bool = False, allowed: Sequence[Any] | None = None) -> Any:
        """Return the most probable next items of each user, best first.

        Args:
            data: events so far, in the form that `fit` takes; users may be new. A session without an event,
                such as an empty list of items, is answered like that of a new user.
            k: items per user.
            exclude_seen: leave out the items that the user already had.
            allowed: answer only with these items; None allows all.

        Returns:
            A table with the columns user, rank, item and score, k rows per user, or fewer if no more items are left.
        """
        self._fitted()
        check_flag("exclude_seen", exclude_seen)
        k = min(whole_number("k", k, least=1), self.catalogue_.size)
        log = self._log(self._source(data), empty=True)
        note_events(log, self.catalogue_, self.users_)
        everybody = np.arange(len(log.lengths))
        filters = item_filters(log, self.catalogue_, everybody, log.lengths, exclude_seen, allowed)
        steps = self._steps(log, whole=True)
        queries = self._queries(steps, steps.lengths.cumsum(0) - 1)
        items, scores = best_items(self._score(), queries, self.catalogue_.size, k, filters)
        rows, places = (items >= 0).nonzero().unbind(1)
        chosen = items[rows, places].numpy()
        return pl.DataFrame(
            {
                log.users.name: log.users.gather(rows.numpy()),
                "rank": (places + 1).numpy(),
                self._item: self.catalogue_.decode(chosen),
                "score": scores[rows, places].numpy(),
            }
        )

    def _stepping(self, k: int = 10, exclude_seen: bool = False, allowed: Sequence[Any] | None = None) -> NetworkSteps:
        reader = ItemReader(self._event_columns(), (TIMES, DISTANCE), self._score(), k, exclude_seen, allowed)
        return NetworkSteps(self._fitted(), reader)

    def _event_columns(self) -> EventColumns:
        return EventColumns(
            self.user, self._item, self.time, self.catalogue_, self.times_, self.features_, self._recalled()
        )

    def _score(self) -> Any:
        """Return the function that scores queries against a range of items."""
        return torch.no_grad()(self._fitted().vectors.score)

    def _queries(self, steps: Batch, wanted: Tensor) -> Tensor:
        return queries_after(self._fitted().eval(), steps, wanted)

    # ---- scores -------------------------------------------------------------------------------

    def evaluate(
        self, data: Any, y: Any = None, last: int = 1, after: Any = None, exclude_seen: bool = False
    ) -> Scores:
        """Return the ranks of the true items in the full catalogue as scores, next to those of the baselines.

        Args:
            data: whole histories, in the form that `fit` takes; nothing that comes after an event is used for it.
            y: not used; the next item is the target.
            last: number of each user's last events to predict, each from all those before it.
            after: predict all events from this time on instead; needs a time column.
            exclude_seen: exclude the items that the user already had from all answers; a true item always counts.

        Returns:
            Scores on events that have one before them; an item that is not known is a miss, and the notes count these.
        """
        self._fitted()
        check_flag("exclude_seen", exclude_seen)
        last = whole_number("last", last, 1, MOST_STEPS)
        log = self._log(self._source(data, y))
        note_events(log, self.catalogue_, self.users_)
        items, size = self.catalogue_.encode(log.items), self.catalogue_.size
        rows, notes = questions(log, items, size, last, after, questions_of(log))
        users, before, targets = owners(log)[rows], places(log)[rows], torch.from_numpy(items[rows])
        filters = item_filters(log, self.catalogue_, users, before, exclude_seen, None)
        asked = torch.from_numpy(rows)
        answer = ranked(self._score(), self._queries(self._steps(log, whole=False), asked), targets, size, filters)

        def history(row: int) -> np.ndarray:
            return items[rows[row] - before[row] : rows[row]]

        rivals = {b.name: ranked_by(b, history, targets, size, filters) for b in self.baselines_.values()}
        if self.rival_ is not None:
            queries = self.rival_._queries(self.rival_._steps(log, whole=False), asked)
            rivals["causal convolution net of the same size"] = ranked(
                self.rival_._score(), queries, targets, size, filters
            )
        return self._scored(log, rows, answer, rivals, notes)

    def _scored(
        self, log: EventLog, rows: np.ndarray, answer: Ranked, rivals: dict[str, Ranked], notes: tuple[str, ...]
    ) -> Scores:
        return ranking_scores(answer, rivals, self.catalogue_.counts_, notes)

    def _readers(self) -> Mapping[str, Any]:
        return {ITEM: ItemNames(self.catalogue_)}

    @property
    def classes_(self) -> list[Any]:
        """Labels: the items, and one for all others."""
        return [*self.catalogue_.items_, "unknown"]

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        log = self._log(source)
        edges = np.cumsum(log.lengths)[:-1]
        items = np.split(self.catalogue_.encode(log.items), edges)
        times = np.split(np.arange(len(log.items)) if log.seconds is None else log.seconds, edges)
        chosen = item_baselines(self.catalogue_.size, log.seconds is not None)
        return {key: baseline.fit(items, times) for key, baseline in chosen.items()}
