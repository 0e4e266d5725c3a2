"""Next-place prediction: from the positions of people with habits to stays, places, and the next place of each.

Each user has a home, a place of work, a canteen and a few other places; weekdays differ from weekends, and times vary.
The most frequent place of a user is a strong baseline; the hour and the history give a better prediction.

Run: python examples/next_place.py [--seed 0] [--out next_place.png]
"""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
from example import arguments, show

import unrolled as ur

CITY = (52.52, 13.405)
USERS, DAYS, STEP = 40, 42, 10  # minutes between two positions


def day_of(rng: np.random.Generator, haunts: np.ndarray, weekday: int) -> list[tuple[float, int]]:
    """Return where one user is from which hour on: 0 home, 1 work, 2 canteen, above that other places."""
    late = rng.normal(0, 0.4)
    if weekday < 5:
        plan = [(0.0, 0), (8.5 + late, 1), (12.2 + late, 2), (13.2 + late, 1), (17.5 + late, 0)]
        if weekday in (1, 3):  # sport after work
            plan[-1:] = [(17.5 + late, int(haunts[0])), (20.0 + late, 0)]
        return plan
    there = int(rng.choice(haunts[1:]))
    return [(0.0, 0), (11.0 + 2 * late, there), (15.0 + late, 0)]


def positions(seed: int, users: int = USERS, days: int = DAYS) -> pl.DataFrame:
    """Return a position of every user every ten minutes, with an error of about twenty metres."""
    rng = np.random.default_rng(seed)
    spots = np.array(CITY) + rng.normal(0, 0.05, (60, 2))
    start = dt.datetime(2024, 4, 1)  # a Monday
    rows: dict[str, list[object]] = {"user": [], "time": [], "latitude": [], "longitude": []}
    for user in range(users):
        own = rng.permutation(len(spots))[:3]
        haunts = 3 + rng.permutation(4)
        mine = [*spots[own], *spots[40 + (np.arange(4) + user) % 20]]
        for day in range(days):
            plan = day_of(rng, haunts, (start + dt.timedelta(days=day)).weekday())
            hours = np.arange(0, 24, STEP / 60)
            here = np.searchsorted([hour for hour, _ in plan], hours, side="right") - 1
            for hour, place in zip(hours, here, strict=True):
                latitude, longitude = mine[plan[place][1]] + rng.normal(0, 2e-4, 2)
                rows["user"].append(user)
                rows["time"].append(start + dt.timedelta(days=day, hours=float(hour)))
                rows["latitude"].append(latitude)
                rows["longitude"].append(longitude)
    return pl.DataFrame(rows)


def main(seed: int, out: Path, users: int = USERS) -> float:
    """Train on the first five weeks, predict the sixth."""
    stays = ur.stay_points(ur.as_source(positions(seed, users)), metres=250, minutes=30)
    print(f"{len(stays):,} stays")
    model = ur.NextPlace(place=ur.Places(metres=200), features=["minutes"])
    edge = dt.datetime(2024, 5, 6)
    past = stays.frame.filter(pl.col("time") < edge.replace(tzinfo=dt.UTC).timestamp())
    model.fit(past, epochs=20, seed=seed)
    scores = model.evaluate(stays, after=edge)
    print(scores)
    bars = {name: row["accuracy_1"] for name, row in {"recurrent": scores.model, **scores.baselines}.items()}
    show(out, "Accuracy of the predicted next place", bars=bars)
    return scores.model["accuracy_1"]


if __name__ == "__main__":
    main(**arguments(__doc__, "next_place.png"))
