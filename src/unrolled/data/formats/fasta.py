"""FASTA: named sequences of letters, each after a line that begins with `>`."""

from pathlib import Path

import polars as pl

from unrolled.errors import DataError, message


def parse_fasta(text: str, path: Path) -> pl.DataFrame:
    """Read columns `id`, `description` and `sequence`; line breaks inside a sequence are removed.

    Raises:
        DataError: letters before the first `>` line.
    """
    rows: list[tuple[str, str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith(">"):
            name, _, description = line[1:].strip().partition(" ")
            rows.append((name, description.strip(), []))
        elif line and not line.startswith(";"):
            if not rows:
                raise DataError(
                    message(f"{path}, line {number}", expected="a line that begins with >", received=line[:40])
                )
            rows[-1][2].append(line)
    if not rows:
        raise DataError(message(str(path), expected="at least one sequence", received="none"))
    return pl.DataFrame(
        {
            "id": [name for name, _, _ in rows],
            "description": [description for _, description, _ in rows],
            "sequence": ["".join(parts) for _, _, parts in rows],
        }
    )
