"""A series that does not fit is named and left out; the others of the table are answered all the same."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.errors import DataError

DAYS = [dt.date(2024, 1, 1) + dt.timedelta(days=day) for day in range(160)]
MONTHS = [dt.date(2015 + month // 12, month % 12 + 1, 1) for month in range(60)]
HOURS = [dt.datetime(2024, 1, 1) + dt.timedelta(hours=hour) for hour in range(60)]
FAR = [*DAYS[:40], dt.date(9999, 12, 31)]
OTHERS = {"months": MONTHS, "hours": HOURS, "far": FAR}


def table(**series: list) -> ur.Table:
    rows = [(name, time, float(step % 7)) for name, times in series.items() for step, time in enumerate(times)]
    names, times, values = (list(column) for column in zip(*rows, strict=True))
    return ur.as_source({"name": names, "day": [str(time) for time in times], "y": values}, time="day", group="name")


@pytest.fixture(scope="module")
def forecaster() -> ur.Forecaster:
    return ur.Forecaster(horizon=2, hidden_size=4).fit(table(a=DAYS[:100], b=DAYS[:100]), epochs=1, progress=False)


@pytest.fixture(scope="module")
def detector() -> ur.Detector:
    return ur.Detector(hidden_size=4).fit(table(a=DAYS[:100], b=DAYS[:100]), epochs=1, progress=False)


@pytest.mark.parametrize("name", ["b", "new"])
@pytest.mark.parametrize("kind", OTHERS)
def test_a_forecaster_answers_the_others_and_names_the_one_left_out(forecaster, kind, name):
    asked = table(**{"a": DAYS[:110], name: OTHERS[kind]})
    with pytest.warns(UserWarning, match=f"1 of 2 series left out: series '{name}': expected"):
        answer = forecaster.predict(asked)
    mine = answer.filter(pl.col("name") == "a")
    assert mine["day"].cast(pl.Date).to_list() == DAYS[110:112]
    assert mine["forecast"].null_count() == 0
    assert answer.filter(pl.col("name") == name)["forecast"].null_count() == 2
    with pytest.warns(UserWarning, match="left out"):
        assert np.isfinite(forecaster.evaluate(asked).model["mae"])
    with pytest.warns(UserWarning, match="left out"):
        assert forecaster.backtest(asked)["name"].unique().to_list() == ["a"]
    with pytest.raises(DataError, match=f"series '{name}'"):
        forecaster.predict(table(**{name: OTHERS[kind]}))


@pytest.mark.parametrize("kind", ["months", "hours"])
def test_a_detector_scores_the_others_and_names_the_one_left_out(detector, kind):
    with pytest.warns(UserWarning, match="1 of 2 series left out: series 'b': expected"):
        found = detector.detect(table(a=DAYS[:110], b=OTHERS[kind]))
    assert found["name"].unique().to_list() == ["a"]
    with pytest.raises(DataError, match="series 'b'"):
        detector.detect(table(b=OTHERS[kind]))
