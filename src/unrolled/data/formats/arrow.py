"""Arrow's files: IPC, also called Feather, as a file or as a stream."""

from collections.abc import Collection
from pathlib import Path
from typing import Unpack

import polars as pl

from unrolled.data.contents import ARROW
from unrolled.data.documents import refuse_packed
from unrolled.data.forks import check_fork
from unrolled.data.formats.arrow_size import check_arrow
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table, table_of
from unrolled.data.spans import open_file, unreadable
from unrolled.data.time_words import TimeWords, times_from
from unrolled.errors import DataError, message, reason
from unrolled.places import local_path

_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"


@from_anywhere(unpacks=False)
def read_arrow(
    path: str | Path,
    time: str | None = None,
    group: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read a table of Arrow, as a file or as a stream; kinds of columns are those stored.

    Args:
        path: the file: .arrow, .arrows, .ipc or .feather.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        missing: texts and numbers that stand for a missing value in every column, such as [-9999].
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: missing, empty, damaged, or Feather of version 1.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "table.arrow"
        >>> pl.DataFrame({"text": ["to be"], "values": [[1.0, 2.0]]}).write_ipc(file)
        >>> list(read_arrow(file))
        [{'text': 'to be', 'values': [1.0, 2.0]}]
    """
    check_fork()
    place = local_path(path)
    refuse_packed(place, own=ARROW)
    with open_file(place) as file:
        start = file.read(len(_FILE))
    if start.startswith(_FEATHER_1):
        remedy = "read it with pyarrow.feather and write it again"
        raise DataError(message(str(path), expected="Feather of version 2", received="version 1", remedy=remedy))
    check_arrow(place)
    try:
        with place.open("rb") as file:  # polars takes brackets in a path for a pattern
            frame = pl.read_ipc(file) if start == _FILE else pl.read_ipc_stream(file)
    except OSError as fault:
        raise unreadable(place, fault) from fault
    except (ValueError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        raise DataError(
            message(str(path), expected="a table of Arrow", received=reason(fault, "a damaged file"))
        ) from fault
    return table_of(frame, path, time, group, times_from(times), missing)
