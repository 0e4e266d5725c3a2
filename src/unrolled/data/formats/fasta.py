"""FASTA: named sequences of letters, of genes, genomes and proteins."""

import re
from collections import Counter
from pathlib import Path

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.formats.blanks import BLANKS
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, message, unknown
from unrolled.places import local_path

MASKED = ("upper", "keep")
_OTHERS = re.compile(r"[^A-Za-z*.?-]")  # gaps and stops are usual
_SHOWN = 5  # signs in a note


@from_anywhere()
def read_fasta(path: str | Path, soft_masked: str = "upper", encoding: str | None = None) -> Table:
    r"""Read FASTA: columns `id`, `description` and `sequence`.

    A name ends at the first blank or tab. Line breaks and blanks inside a sequence, lines that begin with `;`, and a
    `*` that ends a sequence are left out. The table's `notes` count what was changed.

    Args:
        path: the file: .fasta, .fa, .fna, .faa, .ffn, .frn, .fas or .mpfa; `.gz` is unpacked.
        soft_masked: lower-case letters, with which genomes mark repeats, are made "upper" case, or "keep".
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, or letters before the first name.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "genes.fasta"
        >>> _ = file.write_text(">one first gene\nACGT\nacg\n")
        >>> table = read_fasta(file)
        >>> list(table), table.notes
        ([{'id': 'one', 'description': 'first gene', 'sequence': 'ACGTACG'}],
         ('3 of 7 letters were lower case (soft-masked) and are upper case now',))
    """
    if soft_masked not in MASKED:
        raise unknown("soft_masked", soft_masked, MASKED)
    rows: list[tuple[str, str, list[str]]] = []
    for number, line in enumerate(whole_text(local_path(path), encoding).split("\n"), 1):
        text = line.strip(" \t")
        if text.startswith(">"):
            rows.append((*split_name(text[1:]), []))
        elif text and not text.startswith(";"):
            if not rows:
                raise DataError(
                    message(f"{path}, line {number}", expected="a line that begins with >", received=line[:40])
                )
            rows[-1][2].append(BLANKS.sub("", text))
    if not rows:
        raise DataError(message(str(path), expected="at least one sequence", received="none"))
    names, descriptions, parts = zip(*rows, strict=True)
    sequences, notes = _unmasked(["".join(lines) for lines in parts], soft_masked == "upper")
    columns = {"id": names, "description": descriptions, "sequence": sequences}
    table = Table(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))
    table.notes = notes
    return table


def split_name(text: str) -> tuple[str, str]:
    """Return the name and the description of a sequence: what stands before and after the first blank or tab."""
    name, *description = BLANKS.split(text.strip(" \t"), maxsplit=1)
    return name, "".join(description)


def _unmasked(sequences: list[str], upper: bool) -> tuple[list[str], tuple[str, ...]]:
    """Return sequences without final `*` and, if wanted, without lower case; and notes that count both."""
    notes = []
    if ended := sum(sequence.endswith("*") for sequence in sequences):
        sequences = [sequence.removesuffix("*") for sequence in sequences]
        notes.append(f"{ended:,} of {len(sequences):,} sequences ended in *, which is left out")
    lower = sum(len(re.findall(r"[a-z]", sequence)) for sequence in sequences)
    if lower:
        change = " and are upper case now" if upper else ""
        notes.append(f"{lower:,} of {sum(map(len, sequences)):,} letters were lower case (soft-masked){change}")
    others = Counter(sign for sequence in sequences for sign in _OTHERS.findall(sequence))
    if others:
        shown = ", ".join(repr(sign) for sign, _ in others.most_common(_SHOWN))
        notes.append(f"{others.total():,} signs that are no letters are kept: {shown}")
    if lower and upper:
        sequences = [re.sub(r"[a-z]+", lambda found: found[0].upper(), sequence) for sequence in sequences]
    return sequences, tuple(notes)
