"""Stays and places: what somebody's day was made of, from positions alone."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics.pairwise import haversine_distances

from unrolled.codecs.tables.places import Places
from unrolled.data.source import Table
from unrolled.data.trajectories import EARTH_KM, distance_km, stay_points
from unrolled.errors import DataError, NotFittedError, OptionError

HOME, WORK = (50.0, 8.0), (50.05, 8.1)


def day(user: int = 0, noise: float = 1e-4, seed: int = 0) -> list[dict[str, float]]:
    """Home till eight, an hour on the way, at work till five, and home again; a position every five minutes."""
    draw = np.random.default_rng(seed)
    rows = []
    for minute in range(0, 24 * 60, 5):
        hour = minute / 60
        share = float(np.clip(hour - 8, 0, 1) - np.clip(hour - 17, 0, 1))
        latitude, longitude = (home + share * (work - home) for home, work in zip(HOME, WORK, strict=True))
        near = draw.normal(0, noise, 2)
        rows.append(
            {"user": user, "time": 60 * minute, "latitude": latitude + near[0], "longitude": longitude + near[1]}
        )
    return rows


def test_distances_are_those_of_scikit_learn():
    draw = np.random.default_rng(0)
    points = np.stack([draw.uniform(-90, 90, 20), draw.uniform(-180, 180, 20)], 1)
    mine = distance_km(points[:, :1], points[:, 1:], (points[:, 0], points[:, 1]))
    np.testing.assert_allclose(mine, haversine_distances(np.radians(points)) * EARTH_KM, atol=1e-6)


def test_a_day_is_three_stays():
    stays = stay_points(Table(pl.DataFrame(day())), minutes=30)
    assert len(stays) == 3
    np.testing.assert_allclose(stays.frame["latitude"], [HOME[0], WORK[0], HOME[0]], atol=1e-3)
    assert stays.frame["minutes"].sum() > 24 * 60 - 3 * 60  # all but the ways


def test_the_order_of_positions_and_other_users_do_not_matter():
    rows = day(0) + day(1, seed=1)
    whole = stay_points(Table(pl.DataFrame(rows)), minutes=30).frame.sort("user", "time")
    mixed = stay_points(Table(pl.DataFrame(rows).sample(fraction=1.0, shuffle=True, seed=0)), minutes=30).frame
    assert mixed.sort("user", "time").equals(whole)
    alone = stay_points(Table(pl.DataFrame(day(1, seed=1))), minutes=30).frame
    assert alone.equals(whole.filter(pl.col("user") == 1))


def test_a_missing_position_is_passed_over():
    rows = day()
    rows[3] = {**rows[3], "latitude": None}
    assert len(stay_points(Table(pl.DataFrame(rows)), minutes=30)) == 3


@pytest.mark.parametrize("method", ["clusters", "grid"])
def test_positions_of_one_place_get_one_name_and_others_another(method):
    stays = stay_points(Table(pl.DataFrame([row for user in range(6) for row in day(user, seed=user)])), minutes=30)
    names = Places(method=method, metres=500).fit(stays.frame).encode(stays.frame)
    at_work = stays.frame["latitude"] > 50.02
    assert names.filter(at_work).n_unique() == names.filter(~at_work).n_unique() == 1
    assert names.n_unique() == 2


def test_what_is_near_no_place_has_no_name():
    places = Places().fit(pl.DataFrame({"latitude": [50.0] * 3, "longitude": [8.0] * 3}))
    far = pl.DataFrame({"latitude": [51.0, None, 50.0], "longitude": [8.0, 8.0, 8.0]})
    assert places.encode(far).to_list() == [None, None, "50.0000,8.0000"]
    assert len(places.table(far)) == 1


def test_places_survive_json():
    frame = pl.DataFrame(day())
    places = Places(metres=300).fit(frame)
    assert Places.from_json(places.to_json()).encode(frame).equals(places.encode(frame))


@pytest.mark.parametrize(
    ("act", "error", "words"),
    [
        (lambda frame: stay_points(Table(frame), latitude="lat"), DataError, "lat"),
        (lambda frame: stay_points(Table(frame), minutes=100_000), DataError, "a stay of 100000 minutes"),
        (lambda frame: stay_points(Table(frame), metres=0), OptionError, "metres"),
        (lambda frame: stay_points(Table(frame), latitude="time"), DataError, "degrees"),
        (lambda frame: Places(method="kmeans").fit(frame), OptionError, "clusters"),
        (lambda frame: Places(least=0).fit(frame), OptionError, "least"),
        (lambda frame: Places(least=1000).fit(frame), DataError, "places"),
        (lambda frame: Places().encode(frame), NotFittedError, "fit"),
    ],
    ids=["no column", "no stay", "no reach", "no degrees", "no method", "no least", "no place", "before fit"],
)
def test_what_makes_no_sense_is_refused(act, error, words):
    with pytest.raises(error, match=words):
        act(pl.DataFrame(day()))
