"""Detector: finds what was planted, says the same step by step, keeps quiet on ordinary data, and does not forget."""

import copy
import datetime as dt

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from planted import CALM, FIRST, KINDS, event_log, plant
from unrolled.data.source import Table
from unrolled.errors import NotFittedError, OptionError, UnsupportedError
from unrolled.tasks.detection.detector import Detector
from unrolled.tasks.registry import load

LIKE = {"rtol": 1e-3, "atol": 1e-3}


def small(**options):
    return Detector(**{"hidden_size": 12, "training": {"epochs": 12}} | options)


def two_sites(steps=500, seed=0):
    """Two series of different sizes, of two variables each, some values missing, and an hour that is not there."""
    rng = np.random.default_rng(seed)
    frames = []
    for number, site in enumerate(["north", "south"]):
        hours = np.datetime64("2024-01-01", "us") + np.arange(steps) * np.timedelta64(1, "h")
        wave = np.sin(2 * np.pi * np.arange(steps) / 24)
        load = 10 ** (1 + number) * (3 + wave + 0.1 * rng.normal(size=steps))
        heat = np.where(rng.random(steps) < 0.1, np.nan, 20 - 5 * wave + rng.normal(size=steps))
        frames.append(pl.DataFrame({"hour": hours, "site": site, "load": load, "heat": heat}).fill_nan(None))
    there = pl.col("hour") != dt.datetime(2024, 1, 15, 5)
    return Table(pl.concat(frames).filter(there), time="hour", group="site")


@pytest.fixture(scope="module")
def sites():
    return two_sites().split_at("2024-01-18")


@pytest.fixture(scope="module")
def fitted(sites):
    return small().fit(sites[0])


@pytest.fixture(scope="module")
def brief(sites):
    """What `CHANGES` are compared with."""
    return small(training={"epochs": 3}).fit(sites[0], baselines=False)


@pytest.fixture(scope="module")
def log():
    return event_log().split_at(150.0)


@pytest.fixture(scope="module")
def events(log):
    return small(target="page", alarm_rate=0.01, quiet=3).fit(log[0], epochs=25)


def scores_of(table):
    return table["score"].fill_null(np.nan).to_numpy()


# ---- what it finds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_planted_gives_an_alarm_and_little_else_does(kind):
    planted = plant(kind)
    detector = small().fit(planted.table(0, CALM), epochs=15, baselines=False)
    found = detector.detect(planted.table(CALM))
    alarm, labels = found["alarm"].to_numpy(), planted.labels[CALM:]
    assert alarm[labels].any()
    assert alarm[: FIRST - CALM].sum() <= 2


def test_an_alarm_names_the_variable_what_was_seen_and_what_was_expected():
    planted = plant("correlation break")
    values = planted.values.copy()
    values[FIRST:, 1] = planted.values[FIRST:, 0]  # no break any more
    values[1100, 1] += 4.0
    values[1350, 0] += 6.0
    table = type(planted)(values, planted.labels).table
    detector = small(target=["x0", "x1"]).fit(table(0, CALM), epochs=15)
    row, other = (detector.detect(table(CALM)).row(place, named=True) for place in (100, 350))
    assert row["alarm"]
    assert (row["variable"], other["variable"]) == ("x1", "x0")
    assert row["seen"] == pytest.approx(values[1100, 1])
    assert row["low"] < row["expected"] < row["high"] < row["seen"]


def test_the_interval_holds_nine_tenths_of_ordinary_values(fitted, sites):
    found = fitted.detect(sites[1]).drop_nulls("seen")
    inside = (found["seen"] >= found["low"]) & (found["seen"] <= found["high"])
    assert 0.75 < inside.mean() <= 1.0


def test_ordinary_data_give_about_the_alarms_that_were_asked_for():
    calm = [plant("point spike", seed) for seed in range(3)]
    for planted in calm:
        detector = small(alarm_rate=0.01, quiet=3).fit(planted.table(0, 600), baselines=False)
        rate = detector.detect(planted.table(600, FIRST))["alarm"].mean()
        assert rate < 0.05


def test_an_odd_event_gives_an_alarm_and_is_explained(events, log):
    found = events.detect(log[1])
    odd = log[1].frame["label"].to_numpy() > 0
    assert odd.sum() >= 4
    assert found["alarm"].to_numpy()[odd].mean() > 0.6
    assert found["alarm"].to_numpy()[~odd].mean() < 0.02
    row = found.filter(pl.Series(odd)).row(0, named=True)
    assert row["seen"] != row["expected"]
    assert row["probability"] < 0.2


def test_an_event_that_was_never_seen_is_surprising(events, log):
    frame = log[1].frame.with_columns(
        pl.when(pl.col("time") == 200.0).then(pl.lit("admin")).otherwise("page").alias("page")
    )
    found = events.detect(Table(frame, time="time", group="user"))
    assert found.filter(pl.col("seen") == "admin")["alarm"].all()


# ---- step by step ------------------------------------------------------------------------------------


def assert_steps_agree(detector, table, states):
    whole = detector.detect(table)
    rows = []
    for record in table:
        name = record[table.group]
        row, states[name] = detector.step(record, states[name])
        rows.append(row)
    stepped = pl.DataFrame(rows, schema=whole.schema)
    np.testing.assert_allclose(scores_of(stepped), scores_of(whole), **LIKE)
    for column in whole.columns:
        if whole[column].dtype.is_float():
            np.testing.assert_allclose(stepped[column].to_numpy(), whole[column].to_numpy(), **LIKE)
        elif column != "alarm":
            assert stepped[column].to_list() == whole[column].to_list()
    clear = (whole["score"].fill_null(0) - detector.threshold_).abs() > 0.01
    assert stepped["alarm"].filter(clear).to_list() == whole["alarm"].filter(clear).to_list()


def test_going_on_step_by_step_gives_what_the_table_gives(fitted, sites):
    assert_steps_agree(fitted, sites[1], {name: fitted.state_of(name) for name in ("north", "south")})


def test_events_step_by_step_too(events, log):
    assert_steps_agree(events, log[1], {f"u{user}": events.state_of(f"u{user}") for user in range(6)})


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")  # strange series have gaps
@settings(max_examples=5, deadline=None)
@given(st.data())
def test_strangers_step_by_step_with_gaps_and_missing_values_give_what_the_table_gives(fitted, data):
    steps = data.draw(st.integers(1, 90))
    gaps = data.draw(st.lists(st.integers(1, 60), min_size=steps, max_size=steps))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = np.where(rng.random((steps, 2)) < 0.3, np.nan, rng.normal(size=(steps, 2)))
    hours = np.datetime64("2025-05-05", "us") + np.cumsum(gaps) * np.timedelta64(1, "h")
    frame = pl.DataFrame({"hour": hours, "site": "east", "load": values[:, 0], "heat": values[:, 1]})
    table = Table(frame.fill_nan(None), time="hour", group="site")
    assert_steps_agree(fitted, table, {"east": fitted.first_state()})


def test_a_table_in_parts_gives_what_the_whole_gives(fitted, sites):
    whole = fitted.detect(sites[1])
    going = copy.deepcopy(fitted)
    first, rest = sites[1].split_at("2024-01-19 07:00")
    one = going.detect(first)
    going.partial_fit(first, updates=0)
    other = going.detect(rest)
    parts = pl.concat([one, other]).sort("site", "hour")
    np.testing.assert_allclose(scores_of(parts), scores_of(whole.sort("site", "hour")), **LIKE)


def test_a_step_leaves_the_older_state_as_it_was(fitted, sites):
    state = fitted.state_of("north")
    record = next(iter(sites[1]))
    first, _ = fitted.step(record, state)
    again, _ = fitted.step(record, state)
    assert first == again


def test_series_do_not_touch_each_other(fitted, sites):
    both = fitted.detect(sites[1])
    alone = fitted.detect(Table(sites[1].frame.filter(pl.col("site") == "south"), time="hour", group="site"))
    assert both.filter(pl.col("site") == "south").equals(alone)


# ---- learning on -------------------------------------------------------------------------------------


def regime(period, steps, start=0, seed=0):
    rng = np.random.default_rng(seed)
    wave = np.where(np.arange(steps) // (period // 2) % 2, 1.0, -1.0) + 0.1 * rng.normal(size=steps)
    return Table(pl.DataFrame({"t": np.arange(start, start + steps).astype(float), "x": wave}), time="t")


def mean_nats(detector, table):
    """The loss on a table that is read anew."""
    with torch.no_grad():
        result = detector.network_.loss(detector._encode(table))
    return float(result.total) / result.count


FORGOTTEN = 0.6  # nats a step that learning something new may add on what was learnt before


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_learning_on_with_replay_does_not_forget_and_without_it_does(seed):
    old, new = regime(8, 600, seed=seed), regime(20, 600, start=600, seed=seed + 10)
    held = regime(8, 200, seed=seed + 20)
    lost = {}
    for memory in (20_000, 0):
        detector = small(season=1, memory=memory).fit(old, epochs=30, seed=seed, baselines=False)
        before, unknown = mean_nats(detector, held), mean_nats(detector, new)
        detector.follow(new, every=50, updates=12)
        assert mean_nats(detector, new) < unknown - 0.2  # it learnt
        lost[memory] = mean_nats(detector, held) - before
    assert lost[20_000] < FORGOTTEN < lost[0]


def test_the_memory_keeps_to_its_limit(sites):
    detector = small(memory=300).fit(sites[0], epochs=1, baselines=False)
    detector.follow(sites[1], every=20, updates=1)
    assert sum(piece.num_steps for piece in detector.keeping_.memory.pieces) <= 300


def test_following_answers_before_it_learns(sites):
    detector = small().fit(sites[0], epochs=3, baselines=False)
    answers = detector.detect(sites[1])
    followed = detector.follow(sites[1], every=10)
    assert followed.columns == answers.columns
    assert len(followed) == len(answers)
    first = answers.group_by("site", maintain_order=True).head(10)
    np.testing.assert_allclose(
        scores_of(followed.group_by("site", maintain_order=True).head(10)), scores_of(first), **LIKE
    )
    assert not np.allclose(scores_of(followed), scores_of(answers), equal_nan=True)


def test_before_fit_a_partial_fit_is_a_fit(sites):
    one, other = (small(training={"epochs": 3}) for _ in range(2))
    one.partial_fit(sites[0])
    other.fit(sites[0])
    np.testing.assert_array_equal(scores_of(one.detect(sites[1])), scores_of(other.detect(sites[1])))


# ---- a task like the others ----------------------------------------------------------------------------


def test_a_loaded_detector_is_the_saved_one_and_goes_on_like_it(fitted, sites, tmp_path):
    fitted.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    assert loaded.detect(sites[1]).equals(fitted.detect(sites[1]))
    assert loaded.detect(sites[0]).equals(fitted.detect(sites[0]))
    assert loaded.threshold_ == fitted.threshold_
    marks = np.arange(len(sites[1])) % 50 == 0
    assert loaded.evaluate(sites[1], marks) == fitted.evaluate(sites[1], marks)
    one, other = copy.deepcopy(fitted), load(tmp_path / "m")
    for detector in (one, other):
        detector.partial_fit(sites[1], updates=3)
    later = Table(sites[1].frame.with_columns(pl.col("hour").dt.offset_by("1w")), time="hour", group="site")
    np.testing.assert_allclose(scores_of(one.detect(later)), scores_of(other.detect(later)), **LIKE)


def test_a_loaded_detector_of_events_is_the_saved_one(events, log, tmp_path):
    events.save(tmp_path / "m")
    assert load(tmp_path / "m").detect(log[1]).equals(events.detect(log[1]))
    assert "# Detector" in (tmp_path / "m" / "README.md").read_text()


def test_the_same_seed_gives_the_same_answers_and_clones_are_unfitted(fitted, sites):
    again = clone(fitted).fit(sites[0], baselines=False)
    assert again.detect(sites[1]).equals(fitted.detect(sites[1]))
    assert not hasattr(clone(fitted), "network_")
    one, other = (clone(fitted).fit(sites[0], epochs=2, seed=seed, baselines=False) for seed in (0, 1))
    assert not one.detect(sites[1]).equals(other.detect(sites[1]))


def test_nothing_is_answered_before_fit(sites):
    for act in (
        lambda: small().detect(sites[1]),
        lambda: small().evaluate(sites[1]),
        lambda: small().follow(sites[1]),
        lambda: small().first_state(),
        lambda: small().threshold_,
    ):
        with pytest.raises(NotFittedError, match="call fit"):
            act()


CHANGES = {
    "target": ["load"],
    "warm_up": 20,
    "season": 7,
    "components": 2,
    "cell": "lstm",
    "hidden_size": 9,
    "num_layers": 2,
    "dropout": 0.3,
    "layers": {"learn_initial_state": True},
    "training": {"epochs": 2},
}


@pytest.mark.parametrize("option", CHANGES)
def test_every_option_changes_the_answers(option, brief, sites):
    other = small(**{"training": {"epochs": 3}} | {option: CHANGES[option]}).fit(sites[0], baselines=False)
    one, two = brief.detect(sites[0]), other.detect(sites[0])
    assert not np.allclose(scores_of(one), scores_of(two), equal_nan=True)


def test_the_rate_and_the_quiet_change_alarms_and_the_label_what_is_true(sites):
    calm = small(alarm_rate=1e-4).fit(sites[0], baselines=False)
    eager = small(alarm_rate=0.2, quiet=1, label="flag").fit(sites[0], baselines=False)
    assert eager.threshold_ < calm.threshold_
    assert eager.detect(sites[1])["alarm"].sum() > calm.detect(sites[1])["alarm"].sum()
    flagged = sites[1].with_column(pl.Series("flag", np.arange(len(sites[1])) % 40 == 0))
    assert eager.evaluate(flagged).n == len(flagged)
    assert set(CHANGES) | {"alarm_rate", "quiet", "label", "memory"} == set(calm.get_params(deep=False))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alarm_rate": 0}, "alarm_rate"),
        ({"warm_up": 0}, "warm_up"),
        ({"quiet": 0}, "quiet"),
        ({"season": -1}, "season"),
        ({"components": 0}, "components"),
        ({"memory": -1}, "memory"),
        ({"cell": "grru"}, "did you mean 'gru'"),
    ],
)
def test_an_illegal_option_is_refused_by_name(options, words, sites):
    with pytest.raises(OptionError, match=words):
        small(**options).fit(sites[0])
    with pytest.raises(OptionError, match="every"):
        small().fit(sites[0], epochs=1, baselines=False).follow(sites[1], every=0)


def test_inspecting_is_refused_in_one_sentence(fitted, sites):
    with pytest.raises(UnsupportedError, match=r"detect\(data\) explains"):
        fitted.inspect(sites[1])


# ---- beside the truth ----------------------------------------------------------------------------------


def test_evaluation_stands_beside_every_baseline_and_windows_add_the_benchmark_s_score():
    planted = plant("contextual point")
    detector = small().fit(planted.table(0, CALM), epochs=15)
    labelled = detector.evaluate(planted.table(CALM))
    assert set(labelled.baselines) == {baseline.name for baseline in detector.baselines_.values()}
    assert labelled.model["recall"] == 1.0
    assert labelled.difference >= 0  # both may rank every row right
    assert all(np.isfinite(value) for row in (labelled.model, *labelled.baselines.values()) for value in row.values())
    hour = planted.table(FIRST, FIRST + 20).frame["hour"]
    window = detector.evaluate(planted.table(CALM), [(hour[0], hour[19])])
    assert window.model["nab"] == pytest.approx(100, abs=40)
    assert "nab" not in labelled.model


def test_the_odd_events_are_ranked_no_worse_than_by_a_chain(events, log):
    scores = events.evaluate(log[1])
    assert list(scores.baselines) == ["first-order Markov chain"]
    assert scores.model["vus_roc"] > 0.95


def test_the_rival_is_trained_and_compared(sites):
    detector = small().fit(sites[0], epochs=2, rival=True)
    marks = np.arange(len(sites[1])) % 50 == 0
    assert "causal convolution net of the same size" in detector.evaluate(sites[1], marks).baselines
