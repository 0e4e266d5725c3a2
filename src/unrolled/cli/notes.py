"""Notes on standard error: what a reader changed or left out, and what the data held that the model does not know."""

import sys
from collections.abc import Mapping
from typing import Any

from unrolled.reading_report import lines_of


def show_notes(source: Any) -> None:
    """Print what the reader of a table changed or left out; other sources have no notes."""
    from unrolled.data.source import Table

    for note in source.notes if isinstance(source, Table) else ():
        print(f"note: {note}", file=sys.stderr)


def show_report(report: Mapping[str, Any]) -> None:
    """Print the warnings of a report, and then what else it counts."""
    warn_of(report)
    for line in lines_of(report):
        if not any(alarm.startswith(line) for alarm in report["warnings"]):
            print(f"note: {line}", file=sys.stderr)


def warn_of(report: Mapping[str, Any]) -> None:
    """Print the warnings of a report."""
    for alarm in report["warnings"]:
        print(f"warning: {alarm}", file=sys.stderr)
