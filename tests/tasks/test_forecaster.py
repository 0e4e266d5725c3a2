"""Forecaster: better than naive, blind to the future, the same after loading, and clear about what it cannot do."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone

from unrolled.data.source import Table
from unrolled.errors import DataError, NotFittedError, OptionError
from unrolled.reading_report import UnrolledWarning
from unrolled.tasks.forecasting.forecaster import Forecaster
from unrolled.tasks.registry import load

START = dt.date(2022, 1, 3)
SEASON = 7


def make_series(steps: int, seed: int = 0, level: float = 20.0, growth: float = 0.05) -> np.ndarray:
    """A weekly pattern, a trend, and noise that remembers yesterday."""
    rng = np.random.default_rng(seed)
    noise = np.zeros(steps)
    for step in range(1, steps):
        noise[step] = 0.8 * noise[step - 1] + rng.normal()
    days = np.arange(steps)
    return level + growth * days + 4 * np.sin(2 * np.pi * days / SEASON) + noise


def make_table(values: dict[str, np.ndarray], **columns: np.ndarray) -> Table:
    """Several daily series in long format."""
    frames = []
    for name, series in values.items():
        days = [START + dt.timedelta(days=step) for step in range(len(series))]
        frames.append(pl.DataFrame({"day": days, "site": name, "load": series, **columns}))
    return Table(pl.concat(frames), time="day", group="site")


def two_sites(steps: int = 240) -> Table:
    return make_table({"a": make_series(steps), "b": make_series(steps, seed=1, level=400.0)})


def small(**options: object) -> Forecaster:
    return Forecaster("load", **{"horizon": 3, "context_length": 14, "hidden_size": 8} | options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def past() -> Table:
    return two_sites().split_at(START + dt.timedelta(days=200))[0]


@pytest.fixture(scope="module")
def recent() -> Table:
    return two_sites().split_at(START + dt.timedelta(days=200))[1]


@pytest.fixture(scope="module")
def fitted(past: Table) -> Forecaster:
    return small().fit(past, epochs=15, learning_rate=5e-3)


@pytest.fixture(scope="module")
def quantile_model(past: Table) -> Forecaster:
    return small(quantiles=[0.1, 0.5, 0.9]).fit(past, epochs=12)


# ---- quality --------------------------------------------------------------------------------


def test_the_season_is_found_and_the_seasonal_naive_beaten(fitted: Forecaster, recent: Table) -> None:
    scores = fitted.evaluate(recent)
    assert fitted.season_ == SEASON
    assert scores.model["skill"] > 0.12
    assert scores.n == 2 * 3 * (40 - 3 + 1)


def test_training_improves_on_the_untrained_network(past: Table, fitted: Forecaster, recent: Table) -> None:
    untrained = small().fit(past, epochs=1, learning_rate=1e-9)
    assert fitted.evaluate(recent).model["mae"] < 0.9 * untrained.evaluate(recent).model["mae"]


def test_a_growing_season_is_learnt_in_logarithms() -> None:
    steps = np.arange(132)
    wave = 100 * np.exp(0.01 * steps + 0.3 * np.sin(2 * np.pi * steps / 12))
    wave = wave * np.exp(np.random.default_rng(0).normal(0, 0.02, 132))
    days = [dt.date(2010 + int(step) // 12, int(step) % 12 + 1, 1) for step in steps]
    table = Table(pl.DataFrame({"month": days, "sales": wave}), time="month")
    before, after = table.split_at(dt.date(2019, 1, 1))
    model = Forecaster("sales", horizon=12, hidden_size=8).fit(before, epochs=4)
    assert model.plan_.log
    assert model.season_ == 12
    assert model.evaluate(after).model["skill"] > 0.3
    assert model.predict()["month"].to_list() == after.frame["month"].to_list()[:12]


def test_quantiles_are_ordered_and_cover_about_what_they_claim(quantile_model: Forecaster, recent: Table) -> None:
    frame = quantile_model.backtest(recent)
    low, middle, high = (frame[name].to_numpy() for name in ("q0.1", "q0.5", "q0.9"))
    assert (low <= middle).all()
    assert (middle <= high).all()
    actual = frame["actual"].to_numpy()
    assert 0.6 < ((low <= actual) & (actual <= high)).mean() < 0.97
    assert quantile_model.evaluate(recent).model["pinball"] > 0


# ---- no leak, no dependence on the table's edges ----------------------------------------------


def test_changing_the_future_changes_nothing_learnt_from_the_past(past: Table) -> None:
    edge = 170
    changed = past.frame.with_columns(
        pl.when(pl.col("day") >= START + dt.timedelta(days=edge))
        .then(pl.col("load") * 50 - 7)
        .otherwise("load")
        .alias("load")
    )
    models = []
    for frame in (past.frame, changed):
        table = Table(frame, time="day", group="site").split_at(START + dt.timedelta(days=edge))
        models.append(small().fit(table[0], epochs=2, validation=0.0))
    one, other = models
    assert one.plan_ == other.plan_
    for name, weights in one.network_.state_dict().items():
        assert weights.equal(other.network_.state_dict()[name])


def test_the_watched_part_decides_when_to_stop_but_not_what_is_learnt(past: Table) -> None:
    late = past.frame["day"] >= START + dt.timedelta(days=185)
    changed = past.frame.with_columns(pl.when(late).then(pl.col("load") + 1000).otherwise("load").alias("load"))
    one = small().fit(past, epochs=1)
    other = small().fit(Table(changed, time="day", group="site"), epochs=1)
    assert one.plan_ == other.plan_
    for name, weights in one.network_.state_dict().items():
        assert weights.equal(other.network_.state_dict()[name])
    assert one.history_.rows[0].validation_loss != other.history_.rows[0].validation_loss


def test_a_backtest_equals_the_prediction_from_the_history_before_each_origin(
    fitted: Forecaster, recent: Table
) -> None:
    frame = fitted.backtest(recent, stride=6)
    for origin in frame["origin"].unique().sort().to_list()[1:4]:
        known = Table(recent.frame.filter(pl.col("day") <= origin), time="day", group="site")
        alone = fitted.predict(known)
        same = frame.filter(pl.col("origin") == origin)
        assert alone["day"].to_list() == same["day"].to_list()
        np.testing.assert_allclose(alone["forecast"], same["forecast"], rtol=1e-6)


def test_a_forecast_does_not_see_what_comes_after_its_origin(fitted: Forecaster, recent: Table) -> None:
    origin = START + dt.timedelta(days=220)
    changed = recent.frame.with_columns(
        pl.when(pl.col("day") > origin).then(pl.lit(-999.0)).otherwise("load").alias("load")
    )
    before = fitted.backtest(recent).filter(pl.col("origin") <= origin)
    after = fitted.backtest(Table(changed, time="day", group="site")).filter(pl.col("origin") <= origin)
    assert before["forecast"].equals(after["forecast"])
    assert not before["actual"].equals(after["actual"])


# ---- forms of data --------------------------------------------------------------------------


def test_a_saved_model_forecasts_and_evaluates_the_same(
    quantile_model: Forecaster, recent: Table, tmp_path: object
) -> None:
    again = load(quantile_model.save(f"{tmp_path}/model"))
    assert again.predict().equals(quantile_model.predict())
    assert again.evaluate(recent) == quantile_model.evaluate(recent)
    assert again.summary_ == quantile_model.summary_


def test_lists_of_arrays_are_series_and_steps_count_on() -> None:
    series = [make_series(90, seed=seed) for seed in range(3)]
    model = Forecaster(horizon=2, hidden_size=4).fit(series, epochs=1)
    frame = model.predict()
    assert frame.columns == ["series", "step", "forecast"]
    assert frame["series"].to_list() == [0, 0, 1, 1, 2, 2]
    assert frame["step"].to_list() == [90, 91] * 3
    assert model.predict([series[0]])["forecast"].to_list() == pytest.approx(frame["forecast"].to_list()[:2], rel=0.2)
    assert model.predict(series[0][:60])["step"].to_list() == [60, 61]


def test_missing_values_and_rows_are_filled_in_and_skipped(past: Table) -> None:
    rng = np.random.default_rng(0)
    holes = rng.random(len(past)) < 0.1
    frame = past.frame.with_columns(pl.when(pl.Series(holes)).then(None).otherwise("load").alias("load"))
    frame = frame.filter(~pl.Series(rng.random(len(frame)) < 0.04))
    model = small().fit(Table(frame, time="day", group="site"), epochs=2)
    assert model.counts_["filled gaps"] > 0
    assert model.predict()["forecast"].is_finite().all()
    assert model.predict()["day"][0] > frame["day"].max()


def test_short_series_are_skipped_and_counted(past: Table) -> None:
    short = past.frame.filter(pl.col("site") == "a").head(8).with_columns(site=pl.lit("brief"))
    model = small().fit(Table(pl.concat([past.frame, short]), time="day", group="site"), epochs=1)
    assert model.summary_["skipped, too short"] == 1
    assert model.predict()["site"].n_unique() == 3  # it is still forecast


def test_only_short_series_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"at least 17 known values.*in series 'b'"):
        small().fit(make_table({"a": make_series(9), "b": make_series(12)}))


@pytest.mark.filterwarnings("ignore:unseen series:unrolled.reading_report.UnrolledWarning")
def test_a_series_never_seen_is_scaled_by_its_own_history(fitted: Forecaster) -> None:
    stranger = make_table({"z": make_series(100, seed=5, level=20.0) * 1000})
    forecast = fitted.predict(stranger)["forecast"].to_numpy()
    last_week = stranger.frame["load"].to_numpy()[-7:]
    assert last_week.min() * 0.7 < forecast.min() <= forecast.max() < last_week.max() * 1.3


def test_a_constant_series_is_forecast_as_constant() -> None:
    model = Forecaster(horizon=3, context_length=8, hidden_size=4).fit(np.full(60, 5.0), epochs=1)
    np.testing.assert_allclose(model.predict()["forecast"], 5.0, atol=0.5)


def test_weekdays_are_followed_by_weekdays() -> None:
    days = pl.date_range(dt.date(2024, 1, 1), dt.date(2024, 6, 28), eager=True)
    days = days.filter(days.dt.weekday() < 6)
    table = Table(pl.DataFrame({"day": days, "load": make_series(len(days))}), time="day")
    model = small().fit(table, epochs=1)
    assert model.predict()["day"].to_list() == [dt.date(2024, 7, 1), dt.date(2024, 7, 2), dt.date(2024, 7, 3)]


# ---- covariates, strategies -------------------------------------------------------------------


def holiday_table(steps: int = 220) -> Table:
    rng = np.random.default_rng(3)
    holiday = (rng.random(steps) < 0.15).astype(float)
    values = make_series(steps) + 30 * holiday
    return make_table({"a": values}, holiday=holiday, wind=rng.normal(size=steps))


@pytest.mark.slow
def test_a_rare_value_of_a_known_covariate_is_learnt_with_the_default_options() -> None:
    """Nothing is sold on holidays, 1 day in 30: the forecast of such a day is near zero, that of the others is not."""
    rng, steps = np.random.default_rng(0), 700
    holiday = (rng.random(steps) < 1 / 30).astype(float)
    values = np.where(holiday > 0, 0.0, 100 + 20 * np.sin(np.arange(steps) * 2 * np.pi / 7) + rng.normal(0, 3, steps))
    table = make_table({"a": values}, holiday=holiday)
    model = Forecaster("load", horizon=3, future_covariates=["holiday"]).fit(table)
    ahead = [START + dt.timedelta(days=steps + step) for step in range(3)]
    answers = model.predict(future=pl.DataFrame({"day": ahead, "site": "a", "holiday": [0.0, 1.0, 0.0]}))["forecast"]
    assert answers[1] < 15
    assert min(answers[0], answers[2]) > 70


def test_future_covariates_move_the_forecast_and_must_be_given() -> None:
    table = holiday_table()
    model = small(future_covariates=["holiday"], past_covariates=["wind"]).fit(table, epochs=12, learning_rate=1e-2)
    ahead = [START + dt.timedelta(days=220 + step) for step in range(3)]
    with pytest.raises(DataError, match=r"future: expected future covariates for 3 steps"):
        model.predict()
    quiet, busy = (
        model.predict(future=pl.DataFrame({"day": ahead, "site": "a", "holiday": [0.0, flag, 0.0]}))["forecast"]
        for flag in (0.0, 1.0)
    )
    assert busy[1] - quiet[1] > 5
    rows = pl.DataFrame(
        {"day": ahead, "site": ["a"] * 3, "load": [None] * 3, "holiday": [0.0, 1.0, 0.0], "wind": [None] * 3}
    )
    whole = pl.concat([table.frame, rows], how="vertical_relaxed")
    np.testing.assert_allclose(model.predict(whole)["forecast"], busy, rtol=1e-6)


def test_a_rare_holiday_is_learnt_and_the_week_after_it_is_not_taken_for_another() -> None:
    days = np.arange(760)
    closed = np.isin(days % 365, (0, 120, 359)).astype(float)  # six days of two years
    weekly = 100 + 20 * np.sin(2 * np.pi * days / SEASON) + np.random.default_rng(0).normal(size=760) * 5
    frame = pl.DataFrame({"day": [START + dt.timedelta(days=int(day)) for day in days], "closed": closed})
    frame = frame.with_columns(load=pl.Series(np.where(closed > 0, 0.0, weekly)))
    model = small(future_covariates=["closed"], horizon=7).fit(Table(frame[:720], time="day"), epochs=2)
    found = model.backtest(Table(frame[720:], time="day"), stride=1)
    shut = found["actual"] == 0
    assert found.filter(shut)["forecast"].max() < 25
    assert found.filter(~shut)["forecast"].min() > 50


def test_static_covariates_of_text_are_read(past: Table) -> None:
    frame = past.frame.with_columns(kind=pl.when(pl.col("site") == "a").then(pl.lit("home")).otherwise(pl.lit("shop")))
    plain, told = small(), small(static_covariates=["kind"])
    plain.fit(past, epochs=1)
    told.fit(Table(frame, time="day", group="site"), epochs=1)
    assert told.sizes_[0] == plain.sizes_[0] + 3  # two kinds and the unknown


def test_recursive_and_direct_answer_in_the_same_form(past: Table, fitted: Forecaster, recent: Table) -> None:
    recursive = small(strategy="recursive").fit(past, epochs=15, learning_rate=5e-3)
    one, other = recursive.predict(), fitted.predict()
    assert one.columns == other.columns
    assert one["day"].equals(other["day"])
    assert recursive.evaluate(recent).model["skill"] > 0.1


def test_truncated_back_propagation_carries_the_state(past: Table, recent: Table) -> None:
    model = small().fit(past, epochs=15, learning_rate=5e-3, bptt_steps=20, batch_size=2)
    assert model.evaluate(recent).model["skill"] > 0.1


def test_the_same_seed_gives_the_same_forecasts(past: Table) -> None:
    forecasts = [small().fit(past, epochs=1, seed=seed).predict()["forecast"] for seed in (1, 1, 2)]
    assert forecasts[0].equals(forecasts[1])
    assert not forecasts[0].equals(forecasts[2])


# ---- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 0}, "horizon: expected an integer from 1"),
        ({"season": -1}, "season: expected an integer from 0"),
        ({"strategy": "recursiv"}, "did you mean 'recursive'"),
        ({"strategy": "recursive", "quantiles": [0.5]}, "use strategy='direct'"),
        ({"quantiles": [0.9, 0.1]}, "quantiles: expected increasing numbers"),
        ({"cell": "grru"}, "did you mean 'gru'"),
    ],
)
def test_illegal_options_are_refused(past: Table, options: dict[str, object], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        small(**options).fit(past, epochs=1)


def test_bad_data_is_refused_with_the_column_named(past: Table) -> None:
    with pytest.raises(DataError, match="the nearest is 'load'"):
        Forecaster("laod").fit(past)
    with pytest.raises(DataError, match="column 'site': expected numbers"):
        Forecaster("site").fit(past)
    infinite = past.frame.with_columns(pl.lit(float("inf")).alias("load"))
    with pytest.raises(DataError, match="finite numbers"):
        small().fit(Table(infinite, time="day", group="site"))
    with pytest.raises(DataError, match="group="):
        small().fit(Table(past.frame, time="day"))
    with pytest.raises(OptionError, match="y: expected None"):
        small().fit([1.0, 2.0], [1.0])


def test_too_little_recent_data_is_refused(fitted: Forecaster, recent: Table) -> None:
    with pytest.raises(DataError, match="at least 3 steps"):
        fitted.evaluate(Table(recent.frame.filter(pl.col("day") < START + dt.timedelta(days=202)), "day", "site"))
    with pytest.raises(NotFittedError):
        small().predict()


def test_a_clone_has_the_parameters_and_nothing_learnt(fitted: Forecaster) -> None:
    copy: Forecaster = clone(fitted)  # pyright: ignore[reportAssignmentType]
    assert copy.get_params() == fitted.get_params()
    assert not hasattr(copy, "network_")


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y/%m/%d"])
def test_dates_as_text_score_as_dates_do(fitted: Forecaster, recent: Table, form: str) -> None:
    frame = recent.frame.with_columns(pl.col("day").dt.to_string(form))
    assert fitted.evaluate(frame).model == fitted.evaluate(recent).model


@pytest.mark.parametrize(
    "times",
    [
        [-(2**63), 2**63 - 1],
        [2**64 - 2, 2**64 - 1],
        [10**20, 10**22],
        [0.0, math.inf],
        [math.nan, 1.0],
        [0.0, 1e300],
    ],
)
def test_times_that_no_clock_can_count_are_refused(times: list[float]) -> None:
    model = Forecaster(horizon=2, hidden_size=4).fit(
        Table(pl.DataFrame({"t": range(60), "y": [0.0, 1.0, 2.0] * 20}), "t"), epochs=1
    )
    with pytest.raises(DataError, match="'t'"):
        model.predict(Table(pl.DataFrame({"t": times, "y": [1.0, 2.0]}), "t"))
    far = Table(pl.DataFrame({"t": [-4.0e18, 4.0e18], "y": [1.0, 2.0]}), "t")
    with pytest.warns(UnrolledWarning, match="times that did not fit"):
        assert model.predict(far).height == 2  # on no grid, and two steps all the same
