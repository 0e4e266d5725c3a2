"""Several series read as one are noticed by their repeated times; the column that tells them apart is named."""

import datetime as dt

import pytest

import unrolled as ur
from unrolled.errors import DataError

DAY = dt.date(2024, 1, 1)
TASKS = {
    "forecaster": lambda: ur.Forecaster("y", horizon=2, hidden_size=4),
    "detector": lambda: ur.Detector("y", hidden_size=4, warm_up=5),
}


def rows(value, **names):
    """One row for each day and each combination of names."""
    found = [{}]
    for name, choices in names.items():
        found = [{**row, name: choice} for row in found for choice in choices]
    return [{"day": DAY + dt.timedelta(day), **row, "y": value(day)} for row in found for day in range(40)]


CASES = {
    "sites": (rows(float, site="ab"), None, "column 'site' tells the series apart: give group='site'"),
    "numbered sites": (rows(lambda day: day % 4, site=[1, 2]), None, "column 'site' tells the series apart"),
    "names beside notes": (rows(float, note=["n"], shop=["012", "A5"]), None, "give group='shop'"),
    "shops and items": (rows(float, shop="ab", item="xyz"), None, "columns 'shop' and 'item' together"),
    "items in shops": (rows(float, shop="ab", item="xyz"), "shop", "columns 'shop' and 'item' together"),
    "truth": (rows(float, indoors=[True, False]), None, "give group='indoors'"),
    "no name": (rows(float) * 2, None, "name the column that identifies the series with group="),
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("case", CASES)
def test_the_column_that_tells_series_apart_is_named(task, case):
    data, group, words = CASES[case]
    with pytest.raises(DataError, match=words):
        TASKS[task]().fit(ur.as_source(data, time="day", group=group), epochs=1, progress=False)


def test_events_of_two_hosts_are_noticed():
    data = rows(lambda day: ("login", "exit")[day % 2], host="pq")
    with pytest.raises(DataError, match="give group='host'"):
        TASKS["detector"]().fit(ur.as_source(data, time="day"), epochs=1, progress=False)


def test_two_sites_at_a_question_are_noticed_as_well():
    model = TASKS["forecaster"]().fit(ur.as_source(rows(float), time="day"), epochs=1, progress=False)
    with pytest.raises(DataError, match="column 'site' tells the series apart"):
        model.predict(ur.as_source(CASES["sites"][0], time="day"))


@pytest.mark.parametrize("task", TASKS)
def test_a_few_repeated_rows_are_one_series(task):
    data = rows(float)
    model = TASKS[task]().fit(ur.as_source([*data, data[3]], time="day"), epochs=1, progress=False, baselines=False)
    model.predict(ur.as_source([*data, data[3]], time="day"))
    assert model.report_["rows left out"] == 1


def test_a_table_with_the_right_group_is_learnt():
    data = ur.as_source(CASES["sites"][0], time="day", group="site")
    assert TASKS["forecaster"]().fit(data, epochs=1, progress=False).predict().height == 4
