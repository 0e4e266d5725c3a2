"""Pictures of alarms: legible for numbers, several variables and events, and they show what was said."""

import numpy as np
import polars as pl
import pytest

from pictures import assert_legible, written_texts
from unrolled.data.source import Table
from unrolled.errors import OptionError
from unrolled.plots.alarms import draw_alarms
from unrolled.plots.theme import DARK

STEPS = 80


def a_table(dated=True, group=False, **columns):
    hours = np.datetime64("2024-01-31T20", "us") + np.arange(STEPS) * np.timedelta64(1, "h")
    frame = pl.DataFrame({"time": hours if dated else np.arange(STEPS) * 1.0, **columns})
    if group:
        frame = pl.concat([frame.with_columns(site=pl.lit(name)) for name in ("north", "south of the river, by far")])
    return Table(frame, time="time", group="site" if group else None)


def said_of(table, variable="x", alarms=(40, 60), scores=None):
    rows = len(table)
    alarm = np.isin(np.arange(rows), alarms)
    score = np.where(alarm, 30.0, 0.5) if scores is None else scores
    columns = {
        "score": score,
        "alarm": alarm,
        "warm_up": np.arange(rows) < 10,
        "variable": [variable] * rows,
        "seen": np.ones(rows),
        "expected": np.zeros(rows),
        "low": np.full(rows, -1.0),
        "high": np.full(rows, 1.0),
    }
    keys = ["time"] if table.group is None else ["time", "site"]
    return table.frame.select(keys).with_columns(**{name: pl.Series(values) for name, values in columns.items()})


WAVE = np.sin(np.arange(STEPS))


@pytest.mark.parametrize("dated", [True, False])
def test_a_series_is_legible_and_its_alarms_are_where_they_were_said_to_be(dated, tmp_path):
    table = a_table(dated, x=WAVE, label=(np.arange(STEPS) > 70).astype(int))
    figure = draw_alarms(table, said_of(table), ["x"], 3.0, path=tmp_path / "a.png")
    assert_legible(figure)
    assert (tmp_path / "a.png").stat().st_size > 1000
    texts = [text for text, _ in written_texts(figure)]
    assert any(text.startswith("2 alarms") and "labelled" in text and "warm-up" in text for text in texts)
    dots = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[0].get_ydata(), WAVE[[40, 60]])


def test_of_several_variables_the_blamed_one_has_the_dots():
    table = a_table(x=WAVE, y=WAVE * 5)
    figure = draw_alarms(table, said_of(table, "y"), ["x", "y"], 3.0, theme=DARK)
    assert_legible(figure)
    dots = [[len(line.get_xdata()) for line in axes.lines if line.get_marker() == "o"] for axes in figure.axes]
    assert dots == [[0], [2], [2]]


def test_events_are_named():
    events = ["a very long name of a page", "home", "list", "item"]
    table = a_table(x=[events[step % 4] for step in range(STEPS)])
    figure = draw_alarms(table, said_of(table).drop("low", "high"), ["x"], 3.0)
    assert_legible(figure)
    assert "home" in [text for text, _ in written_texts(figure)]


def test_one_series_of_several_is_drawn_the_first_with_an_alarm_if_nobody_says():
    table = a_table(group=True, x=WAVE)
    found = said_of(table, alarms=(100,))
    assert "south" in written_texts(draw_alarms(table, found, ["x"], 3.0))[-2][0]
    figure = draw_alarms(table, found, ["x"], 3.0, series="north")
    assert_legible(figure)
    assert any("0 alarms" in text for text, _ in written_texts(figure))
    with pytest.raises(OptionError, match="east"):
        draw_alarms(table, found, ["x"], 3.0, series="east")


def test_nothing_but_missing_values_and_scores_is_drawn_all_the_same():
    table = a_table(x=[None] * STEPS)
    figure = draw_alarms(table, said_of(table, alarms=(), scores=np.full(STEPS, np.nan)), ["x"], 3.0)
    assert_legible(figure)


def test_a_table_without_a_time_is_refused():
    table = Table(pl.DataFrame({"x": WAVE}))
    with pytest.raises(OptionError, match="time"):
        draw_alarms(table, said_of(a_table(x=WAVE)), ["x"], 3.0)
