"""A column may have any name: no column of ours stands in its way, in any task."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.data.readers import as_source, read_csv
from unrolled.errors import DataError

FAST = {"epochs": 1, "progress": False, "baselines": False}
DAYS = [dt.date(2024, 1, 1) + dt.timedelta(day) for day in range(60)]
NAMES = [
    *("", "a b", "a.b", "é", "a\nb", "x" * 1000, "1", "{}", "%s", 'a"b', "a,b", "__class__"),
    *("row number", "first row", "seconds", "index", "len", "value"),
]


def classified(name):
    rows = [{name: ["ab", "ba"][row % 2], "label": "pq"[row % 2]} for row in range(16)]
    return ur.Classifier(ur.Characters(name), "label", hidden_size=4).fit(rows, **FAST).predict_proba(rows)


def forecast(target="load", time="day", group="site"):
    frame = pl.DataFrame({target: np.arange(60.0), time: DAYS, group: ["a"] * 60})
    table = as_source(frame, time=time, group=group)
    found = ur.Forecaster(target, horizon=1, hidden_size=4).fit(table, **FAST).predict(table)
    assert found.columns == [group, time, "forecast"]
    return found.rows()


def recommended(user="who", item="what", feature="price"):
    rows = [{user: row % 4, item: "abc"[row % 3], feature: row / 2, "when": row} for row in range(40)]
    model = ur.Recommender(user, item, "when", features=[feature], hidden_size=4, embedding_size=4)
    return model.fit(rows, **FAST).predict(rows, k=2).rows()


QUICK = ("", "a b", 'a"b', "row number", "seconds", "index")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow]) for n in NAMES])
def test_any_name_gives_the_same_model(name):
    np.testing.assert_array_equal(classified(name), classified("text"))
    want = forecast()
    assert forecast(target=name) == forecast(time=name or "day") == forecast(group=name) == want
    want = recommended()
    assert recommended(user=name) == recommended(item=name) == recommended(feature=name) == want


@pytest.mark.parametrize("name", [name for name in NAMES if name == name.strip()])
def test_any_name_comes_through_a_table_of_text(name):
    table = pl.DataFrame({"v": [1], name: ["z"]}).write_csv()
    assert read_csv(table.encode()).columns == ["v", name]
    for given in ([{name: 1}], {name: [1]}, pl.DataFrame({name: [1]}), pl.DataFrame({name: [1]}).to_pandas()):
        assert as_source(given).columns == [name]


def test_a_column_called_step_is_not_overwritten_by_the_numbers_of_the_rows():
    wave = np.sin(np.arange(60.0)).tolist()
    for given in ({"step": wave}, {"y": wave, "step": wave}):
        with pytest.raises(DataError, match="column 'step': expected the numbers of the rows"):
            ur.Forecaster(next(iter(given)), hidden_size=4).fit(given, **FAST)
    numbered = ur.Forecaster("y", hidden_size=4, horizon=1).fit({"y": wave, "step": list(range(60))}, **FAST)
    assert numbered.predict().rows() == ur.Forecaster("y", hidden_size=4, horizon=1).fit(wave, **FAST).predict().rows()
