"""What the tasks share that say what a user's next event will be about."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from unrolled.arrangements.next_item import ITEM, NextItem
from unrolled.baselines.base import Baseline
from unrolled.baselines.registry import item_baselines
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.codecs.catalogue import Catalogue
from unrolled.codecs.event_time import EventTimes
from unrolled.codecs.record import Record
from unrolled.data.batching import BatchSource, Buckets, Lanes
from unrolled.data.events import EventLog, event_log
from unrolled.data.source import Source, Table
from unrolled.data.timestamps import parse_times
from unrolled.decoding.retrieval import FREE, QUERIES, Filters, best_items, true_ranks
from unrolled.errors import DataError, OptionError, message
from unrolled.metrics import Scores
from unrolled.nn.inputs import InputLayer
from unrolled.nn.item_loss import choose_loss
from unrolled.nn.item_vectors import ItemVectors
from unrolled.nn.layers import make_layers
from unrolled.ragged import Ragged
from unrolled.ranking import Ranked, ranking_scores
from unrolled.tasks.base import Task
from unrolled.tasks.event_columns import Columns, before_each, encode_columns, learn_columns, stepwise
from unrolled.training.options import TrainingOptions

TIMES = "times"  # the input that says when the event before was
LARGE = 20_000  # items: the table's gradient then lists rows
MAX_LANES, MIN_UPDATES = 128, 30  # users read side by side; fewer where an epoch would have fewer updates
READ_ROWS = 256  # users whose histories are read together
SHOWN = 10  # places that coverage looks at


class Asked(NamedTuple):
    """Events to be foretold.

    Args:
        rows: which events of the log, (M,).
        queries: what the network asks for before each, (M, D).
        targets: the items, (M,).
    """

    rows: Tensor
    queries: Tensor
    targets: Tensor


class NextItemTask(Task):
    """Reads events, and ranks the catalogue for the next one."""

    user: str | None
    item: str
    time: str | None
    features: Columns
    item_features: Columns
    cell: str
    hidden_size: int
    embedding_size: int
    num_layers: int
    dropout: float
    loss: str
    layers: Mapping[str, Any] | None

    training_defaults: ClassVar[Mapping[str, Any]] = {"bptt_steps": 32, "learning_rate": 3e-3, "epochs": 10}

    # ---- data ---------------------------------------------------------------------------------

    def _log(self, source: Source, empty: bool = False) -> EventLog:
        return event_log(source, self.user, self.item, self.time, empty)

    def _hold_out(self, source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
        """Whole users, as their own order must stay whole."""
        table = source if isinstance(source, Table) else Table(pl.DataFrame(list(source)))
        if self.user is None or isinstance(table.frame[self.item].dtype, pl.List):
            return super()._hold_out(table, share, seed)
        table.require(self.user)
        users = table.frame[self.user].unique(maintain_order=True).drop_nulls()
        held, rest = super()._hold_out(Table(users.to_frame()), share, seed)[::-1]
        if held is None:
            return source, None
        assert isinstance(held, Table)
        mine = table.frame[self.user].is_in(held.frame[self.user].implode())
        return Table(table.frame.filter(~mine)), Table(table.frame.filter(mine))

    def _learn(self, source: Source) -> None:
        if self.embedding_size < 1:
            raise OptionError(message("embedding_size", expected="an integer >= 1", received=self.embedding_size))
        log = self._log(source)
        self.catalogue_ = Catalogue().fit(log.items)
        choose_loss(self.loss, self.catalogue_.size)
        self.times_ = None if log.seconds is None else EventTimes.learnt(log)
        self.features_ = learn_columns(self.features, log.frame, "features")
        self.item_features_, self._described = None, None
        if self.item_features is not None:
            items = self._items(log)
            self.item_features_ = learn_columns(self.item_features, items, "item_features")
            assert self.item_features_ is not None
            self._described = encode_columns(self.item_features_, items)

    def _items(self, log: EventLog) -> pl.DataFrame:
        """A row for each item of the catalogue, with what its last event says of it."""
        index = pl.Series("index", self.catalogue_.encode(log.items))
        return log.frame.with_columns(index).filter(index < self.catalogue_.size).group_by("index").last().sort("index")

    def _encode(self, source: Source, targets: bool = True) -> Batch:
        return self._steps(self._log(source, empty=not targets), whole=not targets)

    def _steps(self, log: EventLog, whole: bool) -> Batch:
        """What was before each event, and its item; with `whole` also what is after the last one."""
        items, lengths = torch.from_numpy(self.catalogue_.encode(log.items)), torch.from_numpy(log.lengths)
        inputs = {ITEM: before_each(items, lengths, self.catalogue_.size + 1, whole)}
        if self.times_ is not None:
            inputs[TIMES] = before_each(torch.from_numpy(self.times_.encode(log)), lengths, 0.0, whole)
        if self.features_ is not None:
            for name, values in encode_columns(self.features_, log.frame).items():
                inputs[name] = before_each(values, lengths, 0, whole)
        return Batch(dict(inputs), targets=None if whole else Ragged(items, lengths))

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

    def _make_network(self) -> nn.Module:
        size, specs = self.catalogue_.size, self._specs()
        described = None if self.item_features_ is None else self.item_features_.specs
        sparse = size >= LARGE and choose_loss(self.loss, size) != "cross_entropy"
        vectors = ItemVectors(size, self.embedding_size, described, sparse)
        if self._described is not None:
            vectors.describe(self._described)
        inputs = InputLayer(specs) if specs else None
        width = self.embedding_size + (0 if inputs is None else inputs.size)
        layers = make_layers(
            self.cell,
            width,
            self.hidden_size,
            num_layers=self.num_layers,
            dropout=self.dropout,
            **(self.layers or {}),
        )
        return NextItem(vectors, inputs, layers, self.loss, dropout=self.dropout)

    def _batches(self, examples: Any, options: TrainingOptions, shuffle: bool) -> BatchSource:
        steps = options.bptt_steps
        per_update = steps or max(1, examples.num_steps // max(1, examples.batch_size))
        rows = options.batch_size or min(MAX_LANES, max(4, examples.num_steps // (MIN_UPDATES * per_update)))
        if not steps:
            return Buckets(examples, rows, options.seed, shuffle)
        return Lanes(examples, rows, steps, options.seed, shuffle)

    # ---- answers ------------------------------------------------------------------------------

    def predict(self, data: Any, k: int = 10, exclude_seen: bool = False, allowed: Sequence[Any] | None = None) -> Any:
        """The items that come next for each user, the likeliest first.

        Args:
            data: events so far, in the form that `fit` takes; users need not be known. A session without an event,
                such as an empty list of items, is answered like any newcomer.
            k: items for each user.
            exclude_seen: leave out what the user had already.
            allowed: answer only with these items; None allows all.

        Returns:
            A table with the columns user, rank, item and score, k rows for each user, fewer where none are left.
        """
        self._fitted()
        log = self._log(self._source(data), empty=True)
        filters = self._filters(log, np.arange(len(log.lengths)), log.lengths, exclude_seen, allowed)
        steps = self._steps(log, whole=True)
        queries = self._queries(steps, steps.lengths.cumsum(0) - 1)
        items, scores = best_items(self._score(), queries, self.catalogue_.size, k, filters)
        rows, places = (items >= 0).nonzero().unbind(1)
        chosen = items[rows, places].numpy()
        return pl.DataFrame(
            {
                log.users.name: log.users.gather(rows.numpy()),
                "rank": (places + 1).numpy(),
                self.item: self.catalogue_.decode(chosen),
                "score": scores[rows, places].numpy(),
            }
        )

    def _score(self) -> Any:
        """Scores of queries against a range of items."""
        vectors = self._fitted().vectors

        def score(queries: Tensor, start: int, stop: int) -> Tensor:
            with torch.no_grad():
                return vectors.score(queries, start, stop)

        return score

    def _queries(self, steps: Batch, wanted: Tensor) -> Tensor:
        """What the network asks for after some steps, by their number in the batch: (M, D)."""
        network = self._fitted().eval()
        found = torch.zeros(len(wanted), self.embedding_size)
        place = torch.full((steps.num_steps,), -1)
        place[wanted] = torch.arange(len(wanted))
        places = Ragged(place, steps.lengths)
        for rows in torch.argsort(steps.lengths, stable=True).split(READ_ROWS):
            here = places.select(rows).values
            if not bool((here >= 0).any()):
                continue
            with torch.no_grad():
                queries, _ = network(steps.select(rows))
            found[here[here >= 0]] = queries.values[here >= 0]
        return found

    def _filters(
        self,
        log: EventLog,
        users: np.ndarray,
        counts: np.ndarray,
        exclude_seen: bool,
        allowed: Sequence[Any] | None,
    ) -> Filters:
        """For each question the first `counts` events of a user, where these may not be answered again."""
        barred = mask = None
        if exclude_seen:
            items = Ragged(torch.from_numpy(self.catalogue_.encode(log.items)), torch.from_numpy(log.lengths))
            barred = items.select(torch.from_numpy(users)).slice(0, torch.from_numpy(counts))
        if allowed is not None:
            known = self.catalogue_.encode(pl.Series(self.item, list(allowed)))
            mask = torch.zeros(self.catalogue_.size + 1, dtype=torch.bool)
            mask[torch.from_numpy(known)] = True
            mask = mask[: self.catalogue_.size]
            if not bool(mask.any()):
                raise DataError(message("allowed", expected="at least one item of the catalogue", received="none"))
        return Filters(barred, mask)

    # ---- scores -------------------------------------------------------------------------------

    def evaluate(
        self, data: Any, y: Any = None, last: int = 1, after: Any = None, exclude_seen: bool = False
    ) -> Scores:
        """Where the true items stand in the full ranking, beside the baselines'.

        Args:
            data: whole histories, in the form that `fit` takes; nothing that comes after an event is used for it.
            y: not used; the next item is the target.
            last: how many of each user's last events to foretell, each with all those before it.
            after: foretell all events from this time on instead; needs a time column.
            exclude_seen: let nobody answer with what the user had already; a true item always counts.

        Returns:
            Scores on events that have one before them, of items that were learnt; the notes count the others.
        """
        self._fitted()
        if last < 1:
            raise OptionError(message("last", expected="an integer >= 1", received=last))
        log = self._log(self._source(data, y))
        asked, notes = self._asked_of(log, last, after)
        owners, before = self._histories(log, asked.rows)
        filters = self._filters(log, owners, before, exclude_seen, None)
        size, score = self.catalogue_.size, self._score()
        items, _ = best_items(score, asked.queries, size, SHOWN, filters)
        answer = Ranked(true_ranks(score, asked.queries, size, asked.targets, filters).numpy(), items.numpy())
        rivals = self._rivals(log, owners, before, asked, filters)
        if self.rival_ is not None:
            theirs, their_score = self.rival_._asked_of(log, last, after)[0], self.rival_._score()
            top, _ = best_items(their_score, theirs.queries, size, SHOWN, filters)
            ranks = true_ranks(their_score, theirs.queries, size, theirs.targets, filters)
            rivals["causal convolution net of the same size"] = Ranked(ranks.numpy(), top.numpy())
        return self._scored(log, asked, answer, rivals, notes)

    def _scored(
        self, log: EventLog, asked: Asked, answer: Ranked, rivals: dict[str, Ranked], notes: tuple[str, ...]
    ) -> Scores:
        return ranking_scores(answer, rivals, self.catalogue_.counts_, notes)

    def _asked_of(self, log: EventLog, last: int, after: Any) -> tuple[Asked, tuple[str, ...]]:
        steps = self._steps(log, whole=False)
        assert isinstance(steps.targets, Ragged)
        targets, positions = steps.targets.values, steps.targets.positions
        if after is None:
            chosen = positions >= torch.repeat_interleave(steps.lengths - last, steps.lengths)
        else:
            chosen = torch.from_numpy(self._from(log, after))
        first, known = positions == 0, targets < self.catalogue_.size
        rows = (chosen & ~first & known).nonzero().squeeze(1)
        left = {"first events, which nothing precedes": chosen & first, "events of unknown items": chosen & ~first & ~known}
        notes = tuple(f"{int(some.sum()):,} {what}, are left out" for what, some in left.items() if bool(some.any()))
        if not len(rows):
            raise DataError(message("data", expected="an event after another one, of a known item", received="none"))
        return Asked(rows, self._queries(steps, rows), targets[rows]), notes

    def _from(self, log: EventLog, after: Any) -> np.ndarray:
        """Which events are not before a time, (N,)."""
        if log.seconds is None:
            raise OptionError(message("after", expected="a log with a time column", received=after, remedy="give time="))
        edge = event_log(
            Table(pl.DataFrame({"user": [0], "item": [0]}).with_columns(parse_times(pl.Series("time", [after])))),
            "user",
            "item",
            "time",
        )
        assert edge.seconds is not None
        return log.seconds >= edge.seconds[0]

    def _histories(self, log: EventLog, rows: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Whose each event is, and how many of the user's were before it: (M,) both."""
        steps = Ragged(torch.zeros(int(log.lengths.sum()), 0), torch.from_numpy(log.lengths))
        return steps.sequence_ids[rows].numpy(), steps.positions[rows].numpy()

    def _rivals(
        self, log: EventLog, owners: np.ndarray, before: np.ndarray, asked: Asked, filters: Filters
    ) -> dict[str, Ranked]:
        items = self.catalogue_.encode(log.items)
        starts = np.cumsum(log.lengths) - log.lengths
        size, found = self.catalogue_.size, {}
        # as many histories at once as fit beside the catalogue
        together = max(1, min(QUERIES, 16_000_000 // size))
        for baseline in self.baselines_.values():
            ranks, top = [], []
            for rows in torch.arange(len(owners)).split(together):
                some = [items[starts[u] : starts[u] + n] for u, n in zip(owners[rows], before[rows], strict=True)]
                scores = torch.from_numpy(baseline.predict(some)).float()

                def score(queries: Tensor, start: int, stop: int, scores: Tensor = scores) -> Tensor:
                    return scores[:, start:stop].clone()

                own = filters.select(rows)
                ranks.append(true_ranks(score, scores[:, :1], size, asked.targets[rows], own).numpy())
                top.append(best_items(score, scores[:, :1], size, SHOWN, own)[0].numpy())
            found[baseline.name] = Ranked(np.concatenate(ranks), np.concatenate(top))
        return found

    def _fit_baselines(self, source: Source, examples: Any) -> dict[str, Baseline]:
        log = self._log(source)
        edges = np.cumsum(log.lengths)[:-1]
        items = np.split(self.catalogue_.encode(log.items), edges)
        times = np.split(np.arange(len(log.items)) if log.seconds is None else log.seconds, edges)
        chosen = item_baselines(self.catalogue_.size, log.seconds is not None)
        return {key: baseline.fit(items, times) for key, baseline in chosen.items()}

    # ---- saving -------------------------------------------------------------------------------

    def _learnt_to_json(self) -> dict[str, Any]:
        return {
            "catalogue": self.catalogue_.to_json(),
            "times": None if self.times_ is None else self.times_.to_json(),
            "features": None if self.features_ is None else self.features_.to_json(),
            "item_features": None if self.item_features_ is None else self.item_features_.to_json(),
        }

    def _learnt_from_json(self, data: Mapping[str, Any]) -> None:
        self.catalogue_ = Catalogue.from_json(data["catalogue"])
        self.times_ = None if data["times"] is None else EventTimes.from_json(data["times"])
        self.features_ = None if data["features"] is None else Record.from_json(data["features"])
        self.item_features_ = None if data["item_features"] is None else Record.from_json(data["item_features"])
        self._described = None  # is among the network's own tensors
