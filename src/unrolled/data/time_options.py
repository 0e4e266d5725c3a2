"""Options of the reading of times: the order of day and month, a format, a unit of numbers, a zone."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from unrolled.data.time_epochs import EXAMPLE, NAMED, PER_SECOND, count_of
from unrolled.errors import OptionError, message, unknown

NUMBER = "number"  # the unit of numbers that are no times
UNITS = (*PER_SECOND, *NAMED, NUMBER)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")  # shown beside an unknown zone


@dataclass(frozen=True)
class TimeOptions:
    """How the times of a column are read, where the values alone leave it open.

    Args:
        day_first: whether 01/02/2021 is February 1 (True) or January 2 (False); None: decided by all values.
        time_format: the format of texts, in the letters of Python's strptime, such as "%d.%m.%y"; None: recognised.
        unit: what numbers count: "s", "ms", "us", "ns" or "days" since 1970, days of a spreadsheet ("excel"), "julian"
            days, "matlab" days, a unit and its start, such as "s since 1960-01-01" or "months since 1960-01-01", or
            "number" for numbers that are no times; None: decided by all values.
        zone: the zone of the column, such as "Europe/Berlin": times without a zone are local times there, others are
            converted to it; None: as in the values.

    Raises:
        OptionError: an unknown unit or zone, or a format without a letter of strptime.

    Example:
        >>> TimeOptions(day_first=True, zone="Europe/Berlin").zone
        'Europe/Berlin'
    """

    day_first: bool | None = None
    time_format: str | None = None
    unit: str | None = None
    zone: str | None = None

    def __post_init__(self) -> None:
        if not (self.day_first is None or isinstance(self.day_first, bool)):
            raise OptionError(message("day_first", expected="True, False or None", received=self.day_first))
        if self.unit is not None and self.unit not in UNITS and count_of(str(self.unit)) is None:
            raise unknown("unit", str(self.unit), (*UNITS, EXAMPLE))
        if self.time_format is not None and "%" not in str(self.time_format):
            raise OptionError(
                message("time_format", expected="a format of strptime, such as '%d.%m.%Y'", received=self.time_format)
            )
        if self.zone is not None:
            _check_zone(self.zone)


def _check_zone(zone: Any) -> None:
    try:
        pl.Series([0]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(zone)
    except (TypeError, pl.exceptions.PolarsError) as fault:
        expected = f"the name of a zone, such as {', '.join(ZONES)}"
        raise OptionError(message("zone", expected=expected, received=repr(zone))) from fault
