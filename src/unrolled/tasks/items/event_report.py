"""What events hold that a model does not know, for the report of the call that reads it."""

from typing import Any

import polars as pl

from unrolled.codecs.tables.catalogue import Catalogue
from unrolled.data.event_log import EventLog
from unrolled.reading_report import LOOKED_AT, note, note_tokens


def note_events(log: EventLog, catalogue: Catalogue) -> None:
    """Count the items that are unknown and the rows that were left out, for the report of the call."""
    size = catalogue.size
    unknown = log.items.filter(pl.Series(catalogue.encode(log.items) == size, dtype=pl.Boolean))
    examples = unknown.unique(maintain_order=True).head(LOOKED_AT).to_list()
    note_tokens(log.item, "items", len(log.items), len(unknown), examples, lambda item: catalogue.index_of(item) < size)
    note("rows left out", log.report.duplicates + log.report.incomplete)


def note_event(column: str, item: Any, catalogue: Catalogue) -> None:
    """Count the item of one event of a stream, for the report of whoever counts."""
    unknown = catalogue.index_of(item) == catalogue.size
    strange = [item] if unknown else []
    note_tokens(column, "items", 1, len(strange), strange, lambda one: catalogue.index_of(one) < catalogue.size)
