"""Times and their zones: offsets become a zone, local times are placed in one."""

from typing import Any

import numpy as np
import polars as pl

from unrolled.data.zone_names import home_of_midnights, home_of_offsets
from unrolled.errors import DataError, message

_UNCHANGING = {  # zones of other offsets than twelve whole hours, and whose clocks do not change today
    330: "Asia/Kolkata", 345: "Asia/Kathmandu", 270: "Asia/Kabul", 210: "Asia/Tehran", 390: "Asia/Yangon",
    780: "Pacific/Tongatapu", 840: "Pacific/Kiritimati",
    570: "Australia/Darwin", 525: "Australia/Eucla", -570: "Pacific/Marquesas",
}  # fmt: skip
_HOUR, _MOST_HOURS = 60, 12
_MINUTE, _DAY = 60_000_000, 86_400_000_000  # microseconds
US = pl.Datetime("us")
_HOURS = (1, 24)  # a change of the clocks skips at most an hour; a change of the date line skips a day


def placed(
    naive: pl.Series, offsets: pl.Series, places: list[str], zone: str | None, several: bool = False
) -> pl.Series:
    """Return times that bear offsets, in one zone: the given or named one, that of a single offset, or UTC.

    Args:
        naive: datetimes as they are written.
        offsets: minutes east of Greenwich, null where a value bears none.
        places: names of zones that the values bear.
        zone: the zone asked for; times without an offset are local times there.
        several: whether each series has a zone of its own, so that all together are in UTC.

    Raises:
        DataError: times with and without an offset, without a zone asked for; a zone of an unknown name.
    """
    bare = offsets.is_null() & naive.is_not_null()
    if bare.any() and zone is None:
        row, other = int(bare.arg_max() or 0), int(offsets.is_not_null().arg_max() or 0)
        raise DataError(
            message(f"column {naive.name!r}", expected="times that all have a zone, or none",
                    received=f"row {row} without one and row {other} with one",
                    remedy='give the zone of the others with zone=, such as zone="Europe/Berlin"')
        )  # fmt: skip
    instants = _instants(naive, offsets)
    if zone is not None and bare.any():
        local = localised(naive.set(~bare, None), zone).dt.convert_time_zone("UTC")
        instants = instants.zip_with(~bare, local)
    if zone is None and several:
        zone = "UTC"
    elif zone is None:
        zone = _known_zone(naive, places[0]) if len(places) == 1 else _home(naive, instants, offsets)
    return instants.dt.convert_time_zone(zone)


def zones_of_series(naive: pl.Series, offsets: pl.Series, group: pl.Series | None) -> tuple[tuple[Any, str], ...]:
    """Return the zone of each series by its offsets; nothing if all series are in one, or one has offsets of none.

    Args:
        naive: datetimes as they are written.
        offsets: minutes east of Greenwich, null where a value bears none.
        group: the series of each time; None for a single one.

    Example:
        >>> days = pl.Series(["2024-01-01"] * 2).str.to_datetime()
        >>> zones_of_series(days, pl.Series([60, -300]), pl.Series(["Berlin", "New York"]))
        (('Berlin', 'Etc/GMT-1'), ('New York', 'Etc/GMT+5'))
    """
    if group is None or offsets.n_unique() < 2 or group.n_unique() < 2:
        return ()
    frame = pl.DataFrame([group.alias("name"), naive.alias("naive"), offsets.alias("offset")]).drop_nulls()
    found: dict[Any, str] = {}
    for (name,), part in frame.group_by(["name"], maintain_order=True):
        offset = part["offset"]
        zone = zone_of(int(offset[0])) if offset.n_unique() == 1 else None
        found[name] = zone or home_of_offsets(_instants(part["naive"], offset), offset) or ""
    distinct = {zone for zone in found.values() if not zone.startswith("Etc/")}
    alike = len(distinct) == 1 and home_of_offsets(_instants(naive, offsets), offsets) is not None
    return () if "" in found.values() or len(set(found.values())) < 2 or alike else tuple(found.items())


def zones_of_midnights(times: pl.Series, group: pl.Series | None) -> tuple[tuple[Any, str], ...]:
    """Return the zone of each series of times in UTC that are all midnights of one whose clocks change.

    Args:
        times: datetimes in UTC.
        group: the series of each time; None for a single one.
    """
    if group is None or group.n_unique() < 2:
        return ()
    frame = pl.DataFrame([group.alias("name"), times.alias("time")]).drop_nulls()
    parts = frame.group_by(["name"], maintain_order=True)
    found = {name: home_of_midnights(part["time"]) for (name,), part in parts}
    return tuple((name, zone) for name, zone in found.items() if zone is not None)


def _home(naive: pl.Series, instants: pl.Series, offsets: pl.Series) -> str:
    """Return the zone of offsets: that of a single one, the usual one whose clocks have them all, or UTC.

    Raises:
        DataError: midnights of several offsets that are of no usual zone, as no clock gives the next ones.
    """
    distinct = offsets.drop_nulls().unique(maintain_order=True)
    fixed = zone_of(int(distinct[0])) if len(distinct) == 1 else "UTC"
    if len(distinct) == 1 and (fixed != "UTC" or distinct[0] == 0):
        return fixed
    zone = home_of_offsets(instants, offsets)
    if zone is None and len(distinct) > 1 and (naive.drop_nulls().cast(US).to_physical() % _DAY == 0).all():
        rows = [int((offsets == one).fill_null(False).arg_max() or 0) for one in distinct[:2].to_list()]
        shown = " and ".join(f"{_written(int(offsets[row]))} in row {row}" for row in rows)
        raise DataError(
            message(f"column {naive.name!r}", expected="midnights of one zone", received=shown,
                    remedy='give the zone with zone=, such as zone="Europe/Berlin"')
        )  # fmt: skip
    return zone or "UTC"


def _written(minutes: int) -> str:
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // _HOUR:02}:{abs(minutes) % _HOUR:02}"


def _instants(naive: pl.Series, offsets: pl.Series) -> pl.Series:
    ticks = naive.cast(US).to_physical() - offsets.cast(pl.Int64) * _MINUTE
    return ticks.alias(naive.name).cast(US).dt.replace_time_zone("UTC")


def single_place(naive: pl.Series, places: list[str]) -> str | None:
    """Return the zone that all times name, None if none does.

    Raises:
        DataError: several zones.
    """
    if len(places) > 1:
        raise DataError(
            message(f"column {naive.name!r}", expected="times of one zone", received=", ".join(places[:3]),
                    remedy="write the times with their offsets, such as 2024-01-31 05:00+01:00")
        )  # fmt: skip
    return _known_zone(naive, places[0]) if places else None


def _known_zone(naive: pl.Series, place: str) -> str:
    """Return the name of a zone that times bear; DataError for one that is unknown."""
    name = "UTC" if place.upper() == "UTC" else place
    try:
        pl.Series([0]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    except pl.exceptions.PolarsError as fault:
        raise DataError(
            message(
                f"column {naive.name!r}", expected="the name of a zone, such as Europe/Berlin", received=repr(place)
            )
        ) from fault
    return name


def local_midnights(times: pl.Series) -> pl.Series:
    """Return times in UTC that are midnights of a zone whose clocks change as times of that zone; others unchanged."""
    if not (isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone == "UTC"):
        return times
    zone = home_of_midnights(times)
    return times if zone is None else times.dt.convert_time_zone(zone)


def zone_of(minutes: int) -> str:
    """Return a zone with an unchanging offset, "UTC" for an offset that no such zone has.

    Example:
        >>> zone_of(0), zone_of(60), zone_of(330)
        ('UTC', 'Etc/GMT-1', 'Asia/Kolkata')
    """
    hours, rest = divmod(minutes, _HOUR)
    if rest == 0 and hours and abs(hours) <= _MOST_HOURS:
        return f"Etc/GMT{-hours:+d}"  # these names count westwards
    return _UNCHANGING.get(minutes, "UTC")


def localised(naive: pl.Series, zone: str, group: pl.Series | None = None) -> pl.Series:
    """Return local times of a zone; an hour that the clocks repeat is the earlier one at first, then the later one.

    In a series that is written newest first it is the other way round.

    Args:
        naive: datetimes without a zone.
        zone: name of the zone.
        group: the series of each time; None for a single one.

    Raises:
        DataError: a time that the clocks leave out.
    """
    naive = naive.cast(US)
    plain = naive.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    if plain.null_count() == naive.null_count():
        return plain
    left_out = (
        naive.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").is_null() & naive.is_not_null()
    )
    if left_out.any():
        row = int(left_out.arg_max() or 0)
        raise DataError(
            message(f"column {naive.name!r}", expected=f"local times of {zone}",
                    received=f"{naive[row]} in row {row}, which the clocks leave out",
                    remedy="give the zone in which the times were written with zone=")
        )  # fmt: skip
    names = [naive.name] if group is None else ["series", naive.name]
    frame = naive.to_frame() if group is None else pl.DataFrame([group.alias("series"), naive])
    falls = pl.col(naive.name).diff().dt.total_microseconds().sign().sum() < 0
    place, count = pl.int_range(pl.len()).over(names), pl.len().over(names)
    newest_first = falls if group is None else falls.over("series")
    again = frame.select(pl.when(newest_first).then((place == 0) & (count > 1)).otherwise(place > 0)).to_series()
    side = (
        pl.Series(["earliest"])
        .new_from_index(0, len(naive))
        .zip_with(~again, pl.Series(["latest"]).new_from_index(0, len(naive)))
    )
    return naive.dt.replace_time_zone(zone, ambiguous=side)


def refuse_equal(exact: pl.Series, whole: pl.Series, group: pl.Series | None = None) -> None:
    """Refuse nanoseconds of which several, in one series, are the same microsecond.

    Args:
        exact: moments as they were given.
        whole: the same in microseconds.
        group: the series of each; None for a single one.

    Raises:
        DataError: rows that would have the same time.

    Example:
        >>> nanoseconds = pl.Series("t", [1_000, 1_100])
        >>> refuse_equal(nanoseconds, nanoseconds // 1000)
        Traceback (most recent call last):
        ...
        unrolled.errors.DataError: column 't': expected times at least a microsecond apart, received 1100 in row 1, \
within the microsecond of a row before; give nanoseconds as whole numbers with unit="number"
    """
    frame = pl.DataFrame(
        [exact.alias("exact"), whole.alias("whole")] + ([] if group is None else [group.alias("group")])
    )
    keys = ["whole"] if group is None else ["group", "whole"]
    rows = frame.with_row_index("row").unique([*keys, "exact"], keep="first", maintain_order=True)
    again = rows.filter(~rows.select(keys).is_unique() & ~rows.select(pl.struct(keys).is_first_distinct()).to_series())
    if len(again):
        row = int(again["row"][0])
        raise DataError(
            message(f"column {exact.name!r}", expected="times at least a microsecond apart",
                    received=f"{exact[row]} in row {row}, within the microsecond of a row before",
                    remedy='give nanoseconds as whole numbers with unit="number"')
        )  # fmt: skip


def unified(times: pl.Series, zone: str | None, group: pl.Series | None = None) -> pl.Series:
    """Return dates and datetimes in microseconds, in a zone if one is given; dates stay dates."""
    if times.dtype == pl.Date:
        return times
    own = times.dtype.time_zone if isinstance(times.dtype, pl.Datetime) else None
    whole = times.cast(pl.Datetime("us", own))
    if times.dtype == pl.Datetime("ns", own):
        refuse_equal(times, whole, group)
    times = whole
    if zone is None:
        return times
    return times.dt.convert_time_zone(zone) if own else localised(times, zone, group)


def local_seconds(seconds: np.ndarray, zone: str | None) -> np.ndarray:
    """Return seconds since 1970 by the clocks of a zone, as if they showed UTC; unchanged without a zone.

    Example:
        >>> local_seconds(np.array([0.0]), "Asia/Tokyo").tolist()
        [32400.0]
    """
    if zone in (None, "UTC"):
        return seconds
    whole = np.floor(seconds).astype("M8[s]").astype("M8[us]")
    return seconds + (to_wall(whole, zone) - whole) / np.timedelta64(1, "s")


def to_wall(times: np.ndarray, zone: str | None) -> np.ndarray:
    """Return the wall times of moments in UTC, datetime64[us] of any shape; unchanged without a zone.

    Example:
        >>> to_wall(np.array(["2024-03-31T00:00", "2024-03-31T01:00"], "M8[us]"), "Europe/Berlin").astype("M8[h]")
        array(['2024-03-31T01', '2024-03-31T03'], dtype='datetime64[h]')
    """
    if not zone:
        return times
    flat = pl.Series(times.reshape(-1)).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return flat.dt.replace_time_zone(None).to_numpy().reshape(times.shape)


def to_utc(walls: np.ndarray, zone: str | None) -> np.ndarray:
    """Return the moments in UTC of wall times, datetime64[us]; unchanged without a zone.

    A wall time that occurs twice is the earlier moment; one that the clocks skip is moved on by what they skip.

    Example:
        >>> to_utc(np.array(["2024-03-31T02:30", "2024-10-27T02:30"], "M8[us]"), "Europe/Berlin").astype("M8[m]")
        array(['2024-03-31T01:30', '2024-10-27T00:30'], dtype='datetime64[m]')
    """
    if not zone:
        return walls
    found = _moments_of(pl.Series(walls.reshape(-1)), zone)
    for hours in _HOURS:
        if not found.null_count():
            break
        later = _moments_of(pl.Series(walls.reshape(-1) + np.timedelta64(hours, "h")), zone)
        found = pl.select(pl.coalesce(found, later)).to_series()
    return found.dt.replace_time_zone(None).to_numpy().reshape(walls.shape)


def _moments_of(walls: pl.Series, zone: str) -> pl.Series:
    local = walls.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")
