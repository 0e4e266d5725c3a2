"""Forecasting: Seattle's daily temperatures for the next seven days, compared with the seasonal naive forecast.

The data are part of the package vega_datasets (the `demo` extra).

Run: python examples/weather.py [--seed 0] [--out weather.png]
"""

from pathlib import Path

from example import arguments, show
from vega_datasets import data

import unrolled as ur

CONTEXT_SHOWN, HORIZON = 45, 7


def main(seed: int, out: Path) -> float:
    """Train on three years, test on the fourth by rolling back-test, and draw the last forecast."""
    table = ur.read_csv(data.seattle_weather.filepath, time="date")
    past, recent = table.split_at("2015-01-01")
    model = ur.Forecaster(target="temp_max", horizon=HORIZON, quantiles=[0.1, 0.5, 0.9])
    model.fit(past, seed=seed)
    scores = model.evaluate(recent)
    print(scores)

    known, truth = recent.frame["temp_max"][:-HORIZON], recent.frame["temp_max"][-HORIZON:]
    forecast = model.predict(recent.select(range(len(known))))
    days = range(-HORIZON, 0)
    lines = {
        "measured": (range(-CONTEXT_SHOWN - HORIZON, 0), [*known[-CONTEXT_SHOWN:], *truth]),
        "forecast, with its 80 % band": (days, forecast["q0.5"].to_list()),
    }
    band = (days, forecast["q0.1"].to_list(), forecast["q0.9"].to_list())
    show(
        out,
        "Seattle, daily maximum temperature",
        lines=lines,
        band=band,
        x="days before the end of 2015",
        y="degrees C",
    )
    return scores.model["mase"]


if __name__ == "__main__":
    main(**arguments(__doc__, "weather.png"))
