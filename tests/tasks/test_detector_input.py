"""What a detector is given in practice: tables out of order, holes, constants, and what it refuses in one sentence."""

import numpy as np
import polars as pl
import pytest

from planted import event_log
from unrolled.data.source import Table
from unrolled.errors import DataError, OptionError
from unrolled.tasks.detection.detector import Detector

STEPS = 300


def small(**options):
    return Detector(**{"hidden_size": 8, "training": {"epochs": 4}} | options)


def frame(steps=STEPS, start="2024-01-01", seed=0):
    rng = np.random.default_rng(seed)
    hours = np.datetime64(start, "us") + np.arange(steps) * np.timedelta64(1, "h")
    wave = np.sin(2 * np.pi * np.arange(steps) / 24) + 0.1 * rng.normal(size=steps)
    return pl.DataFrame({"hour": hours, "x": wave})


def table(data):
    return Table(data, time="hour")


@pytest.fixture(scope="module")
def fitted():
    return small().fit(table(frame()), baselines=False)


@pytest.fixture
def later():
    return frame(60, "2024-01-13T12", seed=1)


def same(one, other):
    np.testing.assert_allclose(one["score"].fill_null(-1), other["score"].fill_null(-1), rtol=1e-4, atol=1e-4)


def test_rows_in_any_order_are_sorted(fitted, later):
    same(fitted.detect(table(later.sample(fraction=1.0, shuffle=True, seed=3))), fitted.detect(table(later)))


def test_of_repeated_times_the_last_row_counts_and_many_are_refused(fitted, later):
    twice = pl.concat([later[:2].with_columns(x=pl.lit(99.0)), later])
    same(fitted.detect(table(twice)), fitted.detect(table(later)))
    with pytest.raises(DataError, match="group="):
        fitted.detect(table(pl.concat([later, later.with_columns(pl.col("x") + 1)])))


def test_a_step_that_goes_back_or_stands_still_is_refused(fitted, later):
    rows = list(table(later))
    _, state = fitted.step(rows[1], fitted.state_of())
    for row in rows[:2]:
        with pytest.raises(DataError, match=r"a time after 2024-01-13.*sort the rows"):
            fitted.step(row, state)


@pytest.mark.filterwarnings("ignore:gaps filled:unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize("number", [300, 20240331, 1_700_000_000])
def test_where_training_counted_a_number_is_a_number_in_tables_and_in_events(number):
    detector = small(training={"epochs": 1}).fit(
        Table(frame().with_columns(hour=pl.int_range(pl.len())), time="hour"), baselines=False
    )
    row = {"hour": number, "x": 0.5}
    stepped, _ = detector.step(row, detector.state_of())
    whole = detector.detect(pl.DataFrame([row]))
    assert stepped["score"] == pytest.approx(whole["score"][0])
    with pytest.raises(DataError, match="hour"):
        detector.step(row | {"hour": float("inf")}, detector.state_of())


@pytest.mark.filterwarnings("ignore:gaps filled:unrolled.reading_report.UnrolledWarning")
def test_a_time_far_in_the_future_is_a_hole_that_ends(fitted):
    ahead = frame(40, "2199-05-01")
    found = fitted.detect(table(ahead))
    assert len(found) == 40
    assert np.isfinite(found["score"].to_numpy()).all()
    _, state = fitted.step(next(iter(table(ahead))), fitted.state_of())
    assert len(state.history.values) <= fitted.plan_.lookback


def test_time_zones_may_be_mixed_where_every_time_has_one(later):
    texts = later["hour"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    zoned = [text + "+00:00" for text in texts]
    hours = later["hour"].dt.offset_by("2h").dt.strftime("%Y-%m-%dT%H:%M:%S")
    mixed = [zoned[row] if row % 2 else hours[row] + "+02:00" for row in range(len(zoned))]
    detector = small().fit(table(frame()), baselines=False)
    same(detector.detect(table(later.with_columns(hour=pl.Series(mixed)))), detector.detect(table(later)))
    half = [text if row % 2 else text[:-6] for row, text in enumerate(zoned)]
    with pytest.raises(DataError, match="all have a zone, or none"):
        detector.detect(table(later.with_columns(hour=pl.Series(half))))


@pytest.mark.parametrize("level", [0.0, 5.0, -3e6, 1e-9])
def test_a_constant_series_is_learnt_and_a_change_of_it_is_an_alarm(level):
    data = frame().with_columns(x=pl.lit(level))
    detector = small().fit(table(data[:200]))
    rest = (
        data[200:]
        .with_row_index()
        .with_columns(x=pl.when(pl.col("index") == 50).then(level + (0.1 * abs(level) or 1.0)).otherwise("x"))
    )
    found = detector.detect(table(rest.drop("index")))
    assert found["alarm"].to_list() == [row == 50 for row in range(100)]


def test_gaps_of_a_regular_clock_are_steps_that_nobody_saw(fitted, later):
    with_gap = pl.concat([later[:20], later[26:]])
    as_null = later.with_row_index().with_columns(
        x=pl.when(pl.col("index").is_between(20, 25)).then(None).otherwise("x")
    )
    found, known = fitted.detect(table(with_gap)), fitted.detect(table(as_null.drop("index")))
    assert len(found) == len(with_gap)
    same(found, known.filter(pl.Series([not 20 <= row < 26 for row in range(60)])))
    assert known["score"][20:26].null_count() == 6


def test_half_of_the_values_may_be_missing():
    holes = np.random.default_rng(2).random(STEPS) < 0.5
    data = frame().with_columns(x=pl.when(pl.Series(holes)).then(None).otherwise("x"))
    data = data.with_row_index().with_columns(x=pl.when(pl.col("index") == 250).then(4.0).otherwise("x")).drop("index")
    detector = small(training={"epochs": 20}).fit(table(data[:200]))
    found = detector.detect(table(data[200:]))
    assert found["score"].is_null().to_list() == data["x"][200:].is_null().to_list()
    assert found["alarm"][50]
    assert found["alarm"].sum() <= 2


def test_irregular_times_are_taken_as_they_come():
    gaps = np.random.default_rng(4).integers(1, 5_000_000, STEPS)
    times = np.datetime64("2024-01-01", "us") + np.cumsum(gaps).astype("m8[us]")
    detector = small().fit(table(frame().with_columns(hour=pl.Series(times))))
    assert detector.plan_.calendars.common.irregular
    assert len(detector.detect(table(frame()))) == STEPS


def test_a_series_shorter_than_the_warm_up_is_refused_in_training_and_silent_afterwards(fitted):
    with pytest.raises(DataError, match=r"longer than the warm-up of 50 steps, received 30"):
        small().fit(table(frame(30)))
    found = fitted.detect(table(frame(30, "2020-01-01")))
    assert found["warm_up"].all()
    assert found["score"].null_count() == 30
    assert not found["alarm"].any()


def test_the_warm_up_is_told_and_over_after_as_many_steps_as_were_asked_for():
    detector = small(warm_up=20).fit(table(frame()), baselines=False)
    found = detector.detect(table(frame(60, "2020-01-01")))
    assert found["warm_up"].to_list() == [row < 20 for row in range(60)]
    assert found["score"].is_null().to_list() == found["warm_up"].to_list()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame().with_columns(x=pl.lit(None, pl.Float64)), "at least one value"),
        (frame().with_columns(x=pl.lit(float("inf"))), "finite numbers"),
        (frame().drop("x"), "a column of numbers"),
        (
            frame().with_columns(pl.when(pl.col("x") > 1).then(None).otherwise("hour").alias("hour")),
            "a time in every row",
        ),
        (frame().with_columns(x=pl.col("hour")), "numbers or categories|a column of numbers"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_one_sentence(data, words):
    with pytest.raises(DataError, match=words) as caught:
        small().fit(table(data))
    assert "\n" not in str(caught.value)


def test_other_columns_than_in_training_are_refused(fitted, later):
    with pytest.raises(DataError, match="expected in the data"):
        fitted.detect(table(later.rename({"x": "y"})))
    with pytest.raises(DataError, match="numbers, as in training"):
        fitted.detect(table(later.with_columns(x=pl.lit("high"))))
    with pytest.raises(DataError, match="a value for 'x'"):
        fitted.step({"hour": later["hour"][0]}, fitted.state_of())
    with pytest.raises(DataError, match="numbers, as in training"):
        fitted.step({"hour": later["hour"][0], "x": "high"}, fitted.state_of())
    with pytest.raises(DataError, match="dates and times, as in training"):
        fitted.detect(Table(later.with_columns(hour=pl.Series(np.arange(60.0))), time="hour"))


def test_events_beside_numbers_are_refused_and_a_user_with_one_event_is_not():
    log = event_log(users=3, steps=80)
    with pytest.raises(OptionError, match="one column of events"):
        small(target=["page", "label"]).fit(log)
    for option in ({"season": 7}, {"components": 2}):
        with pytest.raises(OptionError, match=f"{next(iter(option))}: expected the default for events"):
            small(target="page", **option).fit(log)
    one = Table(log.frame.filter((pl.col("user") != "u1") | (pl.col("time") == 3)), time="time", group="user")
    detector = small(target="page").fit(one)
    assert len(detector.detect(one)) == len(one)
    unknown = pl.when(pl.col("time") == 70).then(None).otherwise("page").alias("page")
    missing = Table(one.frame.with_columns(unknown), time="time", group="user")
    found = detector.detect(missing).filter(pl.col("time") == 70)
    assert found["score"].null_count() == len(found) == 2


def test_truth_that_does_not_fit_is_refused(fitted, later):
    with pytest.raises(DataError, match=r"a column 'label'.*windows"):
        fitted.evaluate(table(later))
    with pytest.raises(DataError, match="a mark for each of 60 rows"):
        fitted.evaluate(table(later), [0, 1])
    with pytest.raises(DataError, match="0 or 1"):
        fitted.evaluate(table(later), [2] * 60)
    for marks in ([0] * 60, [1] * 60):
        with pytest.raises(DataError, match="labelled and other rows"):
            fitted.evaluate(table(later), marks)
    with pytest.raises(DataError, match="names among"):
        fitted.evaluate(table(later), {"pump": [(later["hour"][0], later["hour"][5])]})
