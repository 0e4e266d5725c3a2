"""Parallel text: two files, of which line n of one is the translation of line n of the other."""

from pathlib import Path

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.source import Table
from unrolled.errors import DataError, message
from unrolled.places import local_path


def read_parallel(source: str | Path, target: str | Path, encoding: str | None = None) -> Table:
    r"""Read two files line by line: columns `source` and `target`. Pairs of two empty lines are left out.

    Args:
        source: input texts, one per line; `.gz` is unpacked.
        target: their answers, in the same form.
        encoding: of both, such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, in another encoding, or files with different numbers of lines.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, text in (("a.en", "yes\nno\n"), ("a.de", "ja\nnein\n")):
        ...     _ = (folder / name).write_text(text)
        >>> list(read_parallel(folder / "a.en", folder / "a.de"))
        [{'source': 'yes', 'target': 'ja'}, {'source': 'no', 'target': 'nein'}]
    """
    texts = [whole_text(local_path(path), encoding, feeds_alone=True) for path in (source, target)]
    sides = [text.removesuffix("\n").split("\n") for text in texts]
    counts = [len(lines) for lines in sides]
    if counts[0] != counts[1]:
        raise DataError(
            message(
                "target",
                expected=f"{counts[0]:,} lines, as {source} has",
                received=f"{counts[1]:,} in {target}",
                remedy="line n of one file must be the translation of line n of the other",
            )
        )
    pairs = [pair for pair in zip(*sides, strict=True) if any(text.strip() for text in pair)]
    return Table(pl.DataFrame(pairs, schema=dict.fromkeys(("source", "target"), pl.String), orient="row"))
