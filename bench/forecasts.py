"""Forecasts of public series: the network, each baseline and the blend, on the last part of each series.

Run: python bench/forecasts.py [--data FOLDER] [--more FOLDER] [--only NAME ...] [--answer blend] [--out FILE]

FOLDER of `--data` holds `stocks/seattle-weather.csv` and `nab/data`; that of `--more` the files of the folder
`datasets` of darts' repository. Each model learns from all but the last part of a series, at default settings with
quantiles .1, .5 and .9, and is then scored on rolling origins over that part. The scores of the sets under CHOSEN were
seen while baselines were written, so they are optimistic, above all for boosted trees and the seasonal average; they
are marked in the table. The other sets were only read for the table.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

import unrolled as ur

CHOSEN = ("milk", "weather", "heart", "passengers", "wine", "wool", "beer", "tourism")


class Set(NamedTuple):
    """A set of series: a file, its values' columns, and how it is forecast."""

    name: str
    path: str
    columns: tuple[str, ...]
    horizon: int
    test: int  # steps
    last: int = 0  # steps that are used; 0 = all
    time: str | None = None


MORE = (
    Set("passengers", "AirPassengers.csv", ("#Passengers",), 12, 24),
    Set("milk", "monthly-milk.csv", ("Pounds per cow",), 12, 24),
    Set("wine", "wineind.csv", ("Y",), 12, 36),
    Set("wool", "woolyrnq.csv", ("Y",), 4, 16),
    Set("beer", "ausbeer.csv", ("Y",), 8, 24),
    Set("sunspots", "monthly-sunspots.csv", ("Sunspots",), 12, 240),
    Set("tourism", "australian_tourism.csv", (), 4, 8),
    Set("temperatures", "temps.csv", ("Daily minimum temperatures",), 7, 200, 1500),
    Set("heart", "heart_rate.csv", ("Heart rate",), 12, 300),
    Set("gasoline", "us_gasoline.csv", ("Gasoline",), 8, 150),
    Set("taxi", "taxi_new_york_passengers.csv", ("#Passengers",), 48, 480, 3000),
    Set("electricity demand", "taylor.csv", ("Y",), 48, 480, 3000),
    Set("transformers", "ETTh1.csv", ("OT", "HUFL", "MUFL"), 24, 240, 2000),
    Set("exchange", "exchange_rate.csv", ("0", "3", "5"), 10, 200, 1200),
)
DATA = (
    Set("weather", "stocks/seattle-weather.csv", ("temp_max",), 7, 200),
    Set("rain", "stocks/seattle-weather.csv", ("precipitation",), 7, 200),
    Set("machine", "nab/data/realKnownCause/ambient_temperature_system_failure.csv", ("value",), 24, 480, 2500),
)


def series_of(one: Set, folder: Path) -> list[np.ndarray]:
    frame = pl.read_csv(folder / one.path, infer_schema_length=None)
    names = one.columns or frame.columns
    found = []
    for name in names:
        values = frame[name].cast(pl.Float64, strict=False).drop_nulls().to_numpy()
        values = values[::-1] if one.name == "gasoline" else values  # the newest first in the file
        found.append(values[-one.last :].copy() if one.last else values)
    return found


def table(series: list[np.ndarray], start: int, stop: int | None) -> ur.Table:
    frames = []
    for number, values in enumerate(series):
        steps = np.arange(len(values))
        frame = pl.DataFrame({"step": steps, "series": [f"s{number}"] * len(values), "y": values})
        frames.append(frame[start:stop])
    return ur.Table(pl.concat(frames), time="step", group="series")


def sets(data: Path | None, more: Path | None) -> Iterator[tuple[Set, list[np.ndarray]]]:
    for folder, known in ((data, DATA), (more, MORE)):
        for one in known if folder is not None else ():
            if (folder / one.path).exists():
                yield one, series_of(one, folder)


def measured(one: Set, series: list[np.ndarray], answer: str, seed: int) -> dict[str, dict[str, float]]:
    start = time.perf_counter()
    model = ur.Forecaster(horizon=one.horizon, quantiles=[0.1, 0.5, 0.9], answer=answer)
    model.fit(table(series, 0, -one.test), seed=seed, progress=False)
    seconds = time.perf_counter() - start
    scores = model.evaluate(table(series, len(series[0]) - one.test, None))
    rows = {"this model": scores.model} | {
        name.split(" [")[0].split(" (")[0]: row for name, row in scores.baselines.items()
    }
    rows["this model"] |= {"seconds": seconds}
    print(
        f"\n== {one.name}: {len(series)} series, horizon {one.horizon}, season {model.season_}, {seconds:.0f} s",
        flush=True,
    )
    print(scores, flush=True)
    return rows


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path)
    options.add_argument("--more", type=Path)
    options.add_argument("--only", nargs="*", default=())
    options.add_argument("--answer", default="blend")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--out", type=Path)
    given = options.parse_args()
    found = {}
    for one, series in sets(given.data, given.more):
        if not given.only or one.name in given.only:
            found[one.name] = measured(one, series, given.answer, given.seed)
            if given.out:
                given.out.write_text(json.dumps(found, indent=1))
    summary(found)


def summary(found: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the pinball loss of the network, the best baseline and the blend for each set."""
    print(f"\n{'set':20}{'network':>10}{'best baseline':>16}{'':24}{'answer':>10}{'coverage':>10}{'MASE':>8}")
    for name, rows in found.items():
        mine = rows["this model"]
        network = rows.get("network alone", mine)
        rest = {key: row["pinball"] for key, row in rows.items() if key not in ("this model", "network alone")}
        best = min(rest, key=lambda key: rest[key])
        mark = "*" if name in CHOSEN else ""
        print(
            f"{name + mark:20}{network['pinball']:10.4g}{rest[best]:16.4g} {best:23}{mine['pinball']:10.4g}"
            f"{mine['coverage_80%']:10.3f}{mine['mase']:8.3f}"
        )


if __name__ == "__main__":
    main()
