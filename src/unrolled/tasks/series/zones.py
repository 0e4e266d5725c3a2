"""Time zones: conversion between moments in UTC and the wall time of a zone."""

import numpy as np
import polars as pl

_HOURS = (1, 24)  # a change of the clocks skips at most an hour; a change of the date line skips a day


def to_wall(times: np.ndarray, zone: str) -> np.ndarray:
    """Return the wall times of moments in UTC, datetime64[us] of any shape; unchanged without a zone.

    Example:
        >>> to_wall(np.array(["2024-03-31T00:00", "2024-03-31T01:00"], "M8[us]"), "Europe/Berlin").astype("M8[h]")
        array(['2024-03-31T01', '2024-03-31T03'], dtype='datetime64[h]')
    """
    if not zone:
        return times
    flat = pl.Series(times.reshape(-1)).dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    return flat.dt.replace_time_zone(None).to_numpy().reshape(times.shape)


def to_utc(walls: np.ndarray, zone: str) -> np.ndarray:
    """Return the moments in UTC of wall times, datetime64[us]; unchanged without a zone.

    A wall time that occurs twice is the earlier moment; one that the clocks skip is moved on by what they skip.

    Example:
        >>> to_utc(np.array(["2024-03-31T02:30", "2024-10-27T02:30"], "M8[us]"), "Europe/Berlin").astype("M8[m]")
        array(['2024-03-31T01:30', '2024-10-27T00:30'], dtype='datetime64[m]')
    """
    if not zone:
        return walls
    found = _moments(pl.Series(walls.reshape(-1)), zone)
    for hours in _HOURS:
        if not found.null_count():
            break
        later = _moments(pl.Series(walls.reshape(-1) + np.timedelta64(hours, "h")), zone)
        found = pl.select(pl.coalesce(found, later)).to_series()
    return found.dt.replace_time_zone(None).to_numpy().reshape(walls.shape)


def _moments(walls: pl.Series, zone: str) -> pl.Series:
    local = walls.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC")
