"""Names of zones after a time, such as CEST, and the zone whose clocks give a column's offsets or midnights."""

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import polars as pl

from unrolled.errors import DataError, message

# minutes east of Greenwich of names that have one meaning, those of RFC 5322 among them
_OFFSETS = {
    "utc": 0, "gmt": 0, "z": 0, "wet": 0, "west": 60, "cet": 60, "cest": 120, "mez": 60, "mesz": 120, "eet": 120,
    "eest": 180, "msk": 180, "est": -300, "edt": -240, "cdt": -300, "mst": -420, "mdt": -360, "pst": -480,
    "pdt": -420, "akst": -540, "akdt": -480, "hst": -600, "jst": 540, "kst": 540, "hkt": 480, "sgt": 480, "awst": 480,
    "acst": 570, "acdt": 630, "aest": 600, "aedt": 660, "nzst": 720, "nzdt": 780, "sast": 120, "brt": -180, "art": -180,
}  # fmt: skip
_SEVERAL = {"cst": -360}  # of the United States beside CDT; of China and Cuba as well
# one zone for each rule of the clocks, the most common first
HOMES = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver",
    "Europe/Helsinki", "Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland", "America/Halifax",
    "America/St_Johns", "America/Anchorage", "America/Sao_Paulo", "America/Santiago", "America/Mexico_City",
    "Europe/Istanbul", "Europe/Moscow", "Asia/Jerusalem", "Africa/Cairo", "Asia/Beirut", "Asia/Tehran",
    "America/Havana", "America/Asuncion", "Africa/Casablanca", "Atlantic/Azores", "Europe/Chisinau", "Asia/Amman",
)  # fmt: skip
_DAY, _HOUR, _MINUTE = 86_400_000_000, 3_600_000_000, 60_000_000  # microseconds
_FEW, _HEAD = 6, 200


def name_offsets(names: pl.Series, zone: str | None) -> pl.Series:
    """Return the offsets of names of zones in minutes, null for a null.

    Args:
        names: names after times, in any case.
        zone: the zone that was given or learnt, whose own names are known as well; None for none.

    Raises:
        DataError: a name without a single meaning; the message shows the row.

    Example:
        >>> name_offsets(pl.Series(["CET", "CEST"]), None).to_list()
        [60, 120]
    """
    small = names.str.to_lowercase()
    distinct = small.drop_nulls().unique().to_list()
    own = _names_of(zone) if zone else {}
    known: dict[str, int | None] = {**_OFFSETS, **(_SEVERAL if "cdt" in distinct else {}), **own}
    for name in distinct:
        both = name.split("/")
        if zone and len(both) == 2 and all(one in known for one in both):  # CET/CEST says no more than the zone
            known[name] = None
        if name not in known:
            row = int((small == name).fill_null(False).arg_max() or 0)
            raise DataError(
                message(f"column {names.name!r}", expected="a zone with one meaning, such as CET, EST, UTC or +01:00",
                        received=f"{names[row]!r} in row {row}", remedy='give zone=, such as zone="Europe/London"')
            )  # fmt: skip
    return small.replace_strict(known, default=None, return_dtype=pl.Int32)


@lru_cache(maxsize=16)
def _names_of(zone: str) -> dict[str, int]:
    """Return the names that a zone has given its time since 1990, and their offsets in minutes."""
    found = {}
    for year in range(1990, 2031):
        for month in (1, 7):
            moment = dt.datetime(year, month, 1, tzinfo=ZoneInfo(zone))
            found[str(moment.tzname()).lower()] = int((moment.utcoffset() or dt.timedelta()).total_seconds() // 60)
    return found


def home_of_offsets(instants: pl.Series, offsets: pl.Series) -> str | None:
    """Return the zone whose clocks have these offsets at these moments, None if no usual zone has them all.

    Args:
        instants: datetimes in UTC, null where unknown.
        offsets: minutes east of Greenwich.

    Example:
        >>> moments = pl.Series([dt.datetime(2024, 1, 1), dt.datetime(2024, 7, 1)]).dt.replace_time_zone("UTC")
        >>> home_of_offsets(moments, pl.Series([-300, -240]))
        'America/New_York'
    """
    frame = pl.DataFrame({"at": instants, "off": offsets}).drop_nulls().sort("at")
    turn = pl.col("off") != pl.col("off").shift()
    ends = frame.filter((turn | turn.shift(-1)).fill_null(True))  # the first and last moment of each offset
    for zone in HOMES:
        local = ends["at"].dt.convert_time_zone(zone)
        own = (local.dt.base_utc_offset() + local.dt.dst_offset()).dt.total_minutes()
        if (own == ends["off"]).all():
            return zone
    return None


def home_of_midnights(instants: pl.Series) -> str | None:
    """Return the zone in which moments in UTC are all midnights, if they are at two hours, as the clocks change.

    Example:
        >>> days = [dt.datetime(2024, 3, day, 23) for day in range(26, 31)] + [dt.datetime(2024, 3, 31, 22)]
        >>> home_of_midnights(pl.Series(days).dt.replace_time_zone("UTC"))
        'Europe/Berlin'
    """
    known = instants.drop_nulls()
    if len(known) < _FEW or len(_hours(known.head(_HEAD))) > 2:
        return None
    hours = _hours(known)
    if len(hours) != 2 or abs(hours[0] - hours[1]) not in (_HOUR, _DAY - _HOUR):
        return None
    return next((zone for zone in HOMES if _hours(known.dt.convert_time_zone(zone)) == [0]), None)


def home_of_repeated(times: pl.Series) -> str | None:
    """Return the zone whose clocks, put back in autumn, show all of some local times twice; None for none.

    Example:
        >>> home_of_repeated(pl.Series([dt.datetime(2024, 10, 27, 2, 0), dt.datetime(2024, 10, 27, 2, 30)]))
        'Europe/Berlin'
    """
    for zone in HOMES:
        if times.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").null_count() == len(times):
            earliest = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
            if not earliest.null_count():
                return zone
    return None


def home_of_skipped(times: pl.Series, missing: pl.Series) -> tuple[str, int] | None:
    """Return the zone whose clocks, put forward in spring, skip some missing local times, and their number.

    Args:
        times: all local times, of which none may be skipped.
        missing: the first local time of each gap.

    Example:
        >>> times = pl.Series([dt.datetime(2024, 3, 31, hour) for hour in (0, 1, 3, 4)])
        >>> home_of_skipped(times, pl.Series([dt.datetime(2024, 3, 31, 2)]))
        ('Europe/Berlin', 1)
    """
    for zone in HOMES:
        skipped = missing.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").null_count()
        if skipped > missing.null_count():
            real = times.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
            if real.null_count() == times.null_count():
                return zone, skipped - missing.null_count()
    return None


def _hours(times: pl.Series) -> list[int]:
    walls = times.dt.replace_time_zone(None).cast(pl.Datetime("us")).to_physical()
    return (walls % _DAY).unique().to_list()
