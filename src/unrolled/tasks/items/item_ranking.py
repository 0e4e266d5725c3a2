"""Ranking of items: which events of a log to predict, and the ranks of their items for a model or a baseline."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.arrangements.next_item import NextItem
from unrolled.baselines.base import Baseline
from unrolled.batch import Batch
from unrolled.codecs.tables.catalogue import Catalogue
from unrolled.data.event_log import EventLog
from unrolled.data.handed import column
from unrolled.decoding.retrieval import QUERIES, Filters, Score, best_items, true_ranks
from unrolled.errors import DataError, OptionError, is_single, message, whole_number
from unrolled.metrics.ranking import MISSED, Ranked
from unrolled.pauses import pause
from unrolled.ragged import Ragged
from unrolled.tasks.shared.option_checks import MOST_STEPS

SHOWN = 10  # top places that count for coverage
READ_ROWS = 256  # histories per batch
NUMBERS = 16_000_000  # maximum number of a baseline's scores in memory


def questions(
    log: EventLog, items: np.ndarray, size: int, last: int, after: Any, asked: np.ndarray | None = None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the rows of the events to predict, and notes on those that are left out or that no model can answer.

    Args:
        log: whole histories.
        items: the index of each event's item, (N,).
        size: number of items that are known, V.
        last: number of each user's last events to predict.
        after: predict all events from this time on instead.
        asked: predict these events instead, (N,) bool.

    Raises:
        OptionError: `last` below 1, or a time for a log without times.
        DataError: nothing to predict.
    """
    last = whole_number("last", last, 1, MOST_STEPS)
    positions = places(log)
    if asked is not None:
        chosen = asked
    elif after is None:
        chosen = positions >= np.repeat(log.lengths - last, log.lengths)
    else:
        chosen = since(log, after)
    first = positions == 0
    rows = np.flatnonzero(chosen & ~first)
    said = {
        "first events, which nothing precedes, are left out": chosen & first,
        "events of items that were not learnt count as misses": chosen & ~first & (items >= size),
    }
    if not len(rows):
        raise DataError(message("data", expected="an event after another one", received="none"))
    return rows, tuple(f"{int(some.sum()):,} {what}" for what, some in said.items() if some.any())


def queries_after(network: NextItem, steps: Batch, wanted: Tensor) -> Tensor:
    """Return the query vectors of a network after some steps, (M, D).

    Args:
        network: the model, in evaluation mode.
        steps: whole histories.
        wanted: numbers of steps, counted through all histories, (M,).
    """
    found = torch.zeros(len(wanted), network.vectors.width)
    place = torch.full((steps.num_steps,), -1)
    place[wanted] = torch.arange(len(wanted))
    numbered = Ragged(place, steps.lengths)
    for rows in torch.argsort(steps.lengths, stable=True).split(READ_ROWS):
        here = numbered.select(rows).values
        if bool((here >= 0).any()):
            pause()
            with torch.no_grad():
                queries, _ = network(steps.select(rows))
            found[here[here >= 0]] = queries.values[here >= 0]
    return found


def places(log: EventLog) -> np.ndarray:
    """Return the number of the user's events before each event, (N,)."""
    starts = np.cumsum(log.lengths) - log.lengths
    return np.arange(log.lengths.sum()) - np.repeat(starts, log.lengths)


def owners(log: EventLog) -> np.ndarray:
    """Return the index of the user of each event, (N,)."""
    return np.repeat(np.arange(len(log.lengths)), log.lengths)


def since(log: EventLog, after: Any) -> np.ndarray:
    """Return which events are at or after a time, (N,)."""
    if log.seconds is None or log.form is None:
        raise OptionError(message("after", expected="a log with a time column", received=after, remedy="give time="))
    return log.seconds >= log.form.seconds_of_one(after, "after")


def item_filters(
    log: EventLog,
    catalogue: Catalogue,
    users: np.ndarray,
    counts: np.ndarray,
    exclude_seen: bool,
    allowed: Sequence[Any] | None,
) -> Filters:
    """Return the items that may not be answered to each question.

    Args:
        log: whole histories.
        catalogue: the items.
        users: the user of each question, (M,).
        counts: number of the user's events before it, (M,).
        exclude_seen: exclude the items of those events.
        allowed: allow only these items; None allows all.

    Raises:
        DataError: none of the allowed items is known.
    """
    barred = None
    if exclude_seen:
        items = Ragged(torch.from_numpy(catalogue.encode(log.items)), torch.from_numpy(log.lengths))
        barred = items.select(torch.from_numpy(users)).slice(0, torch.from_numpy(counts))
    return Filters(barred, allowed_items(catalogue, allowed))


def allowed_items(catalogue: Catalogue, allowed: Sequence[Any] | None) -> Tensor | None:
    """Return which items may be answered, (V,) bool; None allows all.

    Raises:
        DataError: no list, or none of the allowed items is known.
    """
    if allowed is None:
        return None
    if isinstance(allowed, str | bytes | Mapping) or not isinstance(allowed, Iterable) or is_single(allowed):
        raise DataError(message("allowed", expected="a list of items", received=allowed))
    known = catalogue.encode(column("allowed", list(allowed)))
    mask = torch.zeros(catalogue.size + 1, dtype=torch.bool)
    mask[torch.from_numpy(known)] = True
    if not bool(mask[:-1].any()):
        raise DataError(message("allowed", expected="at least one item of the catalogue", received="none"))
    return mask[:-1]


def ranked(score: Score, queries: Tensor, targets: Tensor, size: int, filters: Filters) -> Ranked:
    """Return the ranks of the true items, and the items that the model ranks first; an unknown item is a miss."""
    ranks = true_ranks(score, queries, size, targets, filters).masked_fill(targets >= size, MISSED)
    return Ranked(ranks.numpy(), best_items(score, queries, size, SHOWN, filters)[0].numpy())


def ranked_by(
    baseline: Baseline, history: Callable[[int], np.ndarray], targets: Tensor, size: int, filters: Filters
) -> Ranked:
    """Rank the true items by a baseline, which scores a few histories against the catalogue at once.

    Args:
        baseline: one of `unrolled.baselines.items`.
        history: returns the items before a question, by its number.
        targets: the true items, (M,).
        size: number of items, V; those added after the baseline was fitted rank last.
        filters: items that may not be answered.
    """
    ranks, top = [], []
    for rows in torch.arange(len(targets)).split(max(1, min(QUERIES, NUMBERS // size))):
        scores = torch.from_numpy(baseline.predict([history(row) for row in rows.tolist()])).float()
        scores = torch.nn.functional.pad(scores, (0, size - scores.shape[1]), value=-1.0)

        def score(queries: Tensor, start: int, stop: int, scores: Tensor = scores) -> Tensor:
            return scores[:, start:stop].clone()

        one = ranked(score, scores[:, :1], targets[rows], size, filters.select(rows))
        ranks.append(one.ranks)
        top.append(one.top)
    return Ranked(np.concatenate(ranks), np.concatenate(top))
