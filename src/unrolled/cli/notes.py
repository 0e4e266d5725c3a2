"""Notes on standard error: what a reader changed or left out, and what the data held that the model does not know."""

import shutil
import sys
import textwrap
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from unrolled.reading_report import lines_of, quietly


@contextmanager
def noted(task: Any) -> Generator[None]:
    """Print the report of what a task is asked while the block runs, in place of Python's warnings."""
    with quietly():
        yield
    show_report(task.report_)


def on_lines(text: str) -> str:
    """Break sentences between words where they are longer than the terminal; a file or a pipe gets them whole."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    lines = text.splitlines()
    return "\n".join(line if "  " in line else textwrap.fill(line, width) for line in lines)  # but rows of a table


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
