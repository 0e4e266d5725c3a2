"""Series on unlike calendars have unlike seasons, in the plan, the forecast, the scores and the saved model."""

import datetime as dt

import numpy as np
import pytest

import unrolled as ur

DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=day) for day in range(280)]
MONTHS = [dt.date(2010 + month // 12, month % 12 + 1, 1) for month in range(120)]
WEEK, YEAR = np.random.default_rng(0).normal(size=(2, 12))


def value(name: str, step: int) -> float:
    return float(10 * WEEK[step % 7] if name == "daily" else 10 * YEAR[step % 12])


def table(daily: int, monthly: int) -> ur.Table:
    rows = [("daily", day, value("daily", step)) for step, day in enumerate(DAYS[:daily])]
    rows += [("monthly", day, value("monthly", step)) for step, day in enumerate(MONTHS[:monthly])]
    names, times, values = (list(column) for column in zip(*rows, strict=True))
    noise = np.random.default_rng(1).normal(scale=0.1, size=len(values))
    return ur.as_source({"name": names, "day": times, "y": (values + noise).tolist()}, time="day", group="name")


@pytest.fixture(scope="module")
def model() -> ur.Forecaster:
    return ur.Forecaster(horizon=3, hidden_size=4).fit(table(260, 100), epochs=1, progress=False)


def test_each_calendar_has_its_own_season(model):
    assert model.summary_["season"] == [7, 12]
    assert model.season_ in (7, 12)


def test_forecasts_repeat_the_season_of_their_series(model, tmp_path):
    answer = model.predict()
    for name, first in (("daily", 260), ("monthly", 100)):
        found = answer.filter(answer["name"] == name)["forecast"].to_numpy()
        assert np.abs(found - [value(name, first + step) for step in range(3)]).max() < 2
    model.save(tmp_path / "model")
    assert ur.load(tmp_path / "model").predict().equals(answer)


def test_the_seasonal_naive_forecast_has_the_season_of_each_history(model):
    scores = model.evaluate(table(270, 110))
    assert scores.baselines["seasonal naive"]["mase"] < 2
    assert scores.baselines["last value"]["mase"] > 10
