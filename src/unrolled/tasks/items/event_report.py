"""What events hold that a model does not know, for the report of the current call."""

from typing import Any

import polars as pl

from unrolled.codecs.tables.catalogue import Catalogue
from unrolled.data.event_log import EventLog
from unrolled.reading_report import LOOKED_AT, note, note_tokens
from unrolled.tasks.items.known_users import KnownUsers


def note_events(log: EventLog, catalogue: Catalogue, users: KnownUsers) -> None:
    """Count the items and users that are unknown and the rows left out, for the report of the current call."""
    size = catalogue.size
    unknown = log.items.filter(pl.Series(catalogue.encode(log.items) == size, dtype=pl.Boolean))
    examples = unknown.unique(maintain_order=True).head(LOOKED_AT).to_list()
    note_tokens(log.item, "items", len(log.items), len(unknown), examples, lambda item: catalogue.index_of(item) < size)
    left_out = log.report.duplicates + log.report.incomplete
    note("rows left out", left_out, len(log.items) + left_out)
    users.note(log)


def note_event(column: str, item: Any, catalogue: Catalogue) -> None:
    """Count the item of one event of a stream, for the report of the current call."""
    unknown = catalogue.index_of(item) == catalogue.size
    strange = [item] if unknown else []
    note_tokens(column, "items", 1, len(strange), strange, lambda one: catalogue.index_of(one) < catalogue.size)
