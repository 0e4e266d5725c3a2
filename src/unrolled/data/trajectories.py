"""Trajectories: finds the places where users stayed in a series of positions."""

import numpy as np
import polars as pl

from unrolled.data.event_log import event_log
from unrolled.data.source import Source, Table, as_table
from unrolled.errors import DataError, OptionError, message

EARTH_KM = 6371.0088  # mean radius
MOST = (90.0, 180.0)  # degrees of latitude and longitude


def distance_km(latitude: np.ndarray, longitude: np.ndarray, to: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return great-circle distances in kilometres between points in degrees, by the haversine formula.

    Args:
        latitude: latitudes of the first points, any shape.
        longitude: longitudes of the first points.
        to: latitude and longitude of the other points, which broadcast with the first.

    Example:
        >>> round(float(distance_km(np.array(52.52), np.array(13.405), (np.array(48.137), np.array(11.575)))))
        504
    """
    one, other = np.radians([latitude, longitude]), np.radians([to[0], to[1]])
    half = np.sin((other[0] - one[0]) / 2) ** 2
    half = half + np.cos(one[0]) * np.cos(other[0]) * np.sin((other[1] - one[1]) / 2) ** 2
    return 2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1)))


def stay_points(
    data: Source,
    user: str = "user",
    time: str = "time",
    latitude: str = "latitude",
    longitude: str = "longitude",
    metres: float = 200.0,
    minutes: float = 20.0,
) -> Table:
    """Find where users stayed: stretches of a trajectory that stay near their first point for some time.

    Args:
        data: a table with one row per position.
        user: the column that identifies the user.
        time: the column of times.
        latitude: the column of latitudes, in degrees.
        longitude: the column of longitudes, in degrees.
        metres: maximum distance from the first point of a stay.
        minutes: minimum length of a stay.

    Returns:
        A table of stays, in order: the user, the mean latitude and longitude, the time of arrival in seconds since
        1970 (as a time if the times have a zone), and the minutes stayed, under the columns' names and "minutes".

    Raises:
        DataError: columns that do not exist or hold no positions, or no stay at all.

    Source: Q. Li et al., "Mining User Similarity Based on Location History", ACM GIS 2008, section 3.1.

    Example:
        >>> rows = [{"user": 1, "time": 60 * t, "latitude": 50 + t // 30, "longitude": 8.0} for t in range(60)]
        >>> stay_points(Table(pl.DataFrame(rows))).frame["minutes"].to_list()
        [29.0, 29.0]
    """
    for name, value in (("metres", metres), ("minutes", minutes)):
        if not value > 0:
            raise OptionError(message(name, expected="a number > 0", received=value))
    data.require(latitude, longitude)
    table = as_table(data)
    frame = table.frame
    frame = frame.with_columns(pl.struct(latitude, longitude).rank("dense").alias("position"))
    frame = frame.drop_nulls([latitude, longitude])
    log = event_log(Table(frame, times=table.times), user, "position", time)
    assert log.seconds is not None
    points = positions(log.frame, latitude, longitude)
    found: dict[str, list[float]] = {name: [] for name in (user, latitude, longitude, time, "minutes")}
    ends = np.cumsum(log.lengths)
    for row, (start, stop) in enumerate(zip(ends - log.lengths, ends, strict=True)):
        for first, last in _stays(points[start:stop], log.seconds[start:stop], metres / 1000, 60 * minutes):
            centre = points[start + first : start + last].mean(0)
            begins, ends_at = log.seconds[start + first], log.seconds[start + last - 1]
            values = (row, centre[0], centre[1], begins, (ends_at - begins) / 60)
            for name, value in zip(found, values, strict=True):
                found[name].append(float(value))
    if not found[user]:
        raise DataError(
            message(
                "data", expected=f"a stay of {minutes:g} minutes within {metres:g} m", received="none",
                remedy="give larger metres or fewer minutes",
            )
        )  # fmt: skip
    stays = pl.DataFrame(found)
    if log.form is not None and log.form.zone is not None:
        arrivals = (stays[time] * 1e6).round().cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        stays = stays.with_columns(arrivals.dt.convert_time_zone(log.form.zone))
    return Table(stays.with_columns(log.users.gather(stays[user].cast(pl.Int64)).alias(user)))


def positions(frame: pl.DataFrame, latitude: str, longitude: str) -> np.ndarray:
    """Return latitudes and longitudes in degrees, (N, 2); NaN where one is missing.

    Raises:
        DataError: values that are no degrees.
    """
    Table(frame).require(latitude, longitude)
    for name, most in zip((latitude, longitude), MOST, strict=True):
        known = frame[name].drop_nulls()
        if len(known) and not (known.dtype.is_numeric() and (known.drop_nans().abs() <= most).all()):
            raise DataError(
                message(f"column {name!r}", expected=f"degrees from -{most:g} to {most:g}", received="others")
            )
    return frame.select(pl.col(latitude, longitude).cast(pl.Float64)).to_numpy()


def _stays(points: np.ndarray, seconds: np.ndarray, km: float, least: float) -> list[tuple[int, int]]:
    """Return the stretches of one trajectory that are stays, as first and one past the last point."""
    found, first = [], 0
    while first < len(points):
        here, last = points[first], first + 1
        while last < len(points) and distance_km(points[last, 0], points[last, 1], (here[0], here[1])) <= km:
            last += 1
        if seconds[last - 1] - seconds[first] >= least:
            found.append((first, last))
            first = last
        else:
            first += 1
    return found
