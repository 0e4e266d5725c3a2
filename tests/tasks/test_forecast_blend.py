"""The blend of network and baselines: one answer in batch, stream, saved model and table; legal and in order."""

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.blending.blend import Blend
from unrolled.errors import OptionError
from unrolled.tasks.forecasting.members import blended, choose_blend
from unrolled.tasks.forecasting.target_kinds import KINDS, RANGES, TargetRange, find_kind


def sales(steps: int, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.maximum(np.round(3 + 3 * np.sin(np.arange(steps) * 2 * np.pi / 7) + draw.normal(size=steps) * 2), 0)


def table(values: dict[str, np.ndarray], first: int = 0) -> ur.Table:
    frames = [
        pl.DataFrame({"day": np.arange(first, first + len(one)), "shop": name, "sales": one})
        for name, one in values.items()
    ]
    return ur.Table(pl.concat(frames), time="day", group="shop")


EVERY = {"a": sales(260), "b": sales(260, 1) * 10}
PAST = table({name: one[:200] for name, one in EVERY.items()})
RECENT = table({name: one[200:] for name, one in EVERY.items()}, 200)


@pytest.fixture(scope="module")
def fitted() -> ur.Forecaster:
    model = ur.Forecaster("sales", horizon=4, hidden_size=4, answer="blend", quantiles=[0.1, 0.5, 0.9])
    return model.fit(PAST, epochs=2)


def test_the_answer_is_the_weighted_average_of_its_parts(fitted):
    blend = fitted.blend_
    assert len(blend.used) > 1
    assert all(sum(row) == pytest.approx(1) for row in blend.weights)
    series = fitted._read(RECENT)
    owner, places = np.array([0, 1]), np.array([len(one) - 1 for one in series])
    parts = fitted._parts(series, owner, places, blend.members)
    whole = np.stack([parts[key] for key in blend.members])
    wanted = np.einsum("m,mnhq->nhq", blend.array().mean(0), whole) if len(blend.weights) == 1 else None
    got = fitted._forecast(series, owner, places)
    if wanted is not None:
        np.testing.assert_allclose(got, wanted)
    np.testing.assert_allclose(got, blended(parts, blend))


def test_a_stream_gives_the_answers_of_a_table(fitted):
    stream = fitted.stream()
    for name, values in EVERY.items():
        state = stream.initial_state()
        for step, value in enumerate(values[200:206]):
            answer, state = stream.step({"day": 200 + step, "shop": name, "sales": value}, state)
        known = fitted.predict(table({name: values[200:206]}, 200))
        for level in ("q0.1", "q0.5", "q0.9"):
            np.testing.assert_allclose(answer[level], known[level].to_numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore:unseen series:unrolled.reading_report.UnrolledWarning")
def test_a_stream_of_a_new_series_gives_the_answers_of_a_table(fitted):
    stream, values = fitted.stream(), sales(300, 5)
    events = [{"day": step, "shop": "new", "sales": value} for step, value in enumerate(values)]
    state = stream.feed(events[:250])
    for event in events[250:-1:7]:
        later = [one for one in events if event["day"] <= one["day"] < event["day"] + 7 and one is not events[-1]]
        state = stream.feed(later, state)
    answer, state = stream.step(events[-1], state)
    known = fitted.predict(table({"new": values}))
    np.testing.assert_allclose(answer["q0.5"], known["q0.5"].to_numpy(), rtol=1e-5, atol=1e-5)


def test_a_saved_blend_answers_the_same(fitted, tmp_path):
    again = ur.load(fitted.save(tmp_path / "model"))
    assert again.blend_ == fitted.blend_
    assert again.predict().equals(fitted.predict())
    assert again.evaluate(RECENT) == fitted.evaluate(RECENT)


def test_the_table_shows_the_blend_first_then_every_part_with_its_weight(fitted):
    scores = fitted.evaluate(RECENT)
    assert {name.split(" [")[0] for name in scores.baselines} >= {"network alone", "theta", "seasonal naive"}
    weights = [float(name.split("[")[1].rstrip("]")) for name in scores.baselines]
    assert weights == sorted(weights, reverse=True)
    assert sum(weights) == pytest.approx(1, abs=0.06)
    assert "average of its parts" in str(scores)
    assert "theta" in fitted.summary_["answers"] or "network" in fitted.summary_["answers"]


def test_early_stopping_does_not_see_the_rows_that_choose_the_weights():
    late = {name: np.where(np.arange(200) >= 190, one[:200] + 1000, one[:200]) for name, one in EVERY.items()}
    models = [
        ur.Forecaster("sales", horizon=4, hidden_size=4, answer="blend").fit(rows, epochs=1)
        for rows in (PAST, table(late))
    ]
    one, other = (model.history_.rows[0].validation_loss for model in models)
    assert one == other


def test_series_too_short_to_hold_a_part_out_are_answered_by_equal_parts():
    model = ur.Forecaster(horizon=3, context_length=4, hidden_size=4, answer="blend").fit(sales(12), epochs=1)
    assert {round(model.blend_.weight_of(key), 3) for key in model.blend_.used} == {0.333}
    assert model.predict()["forecast"].is_finite().all()


def test_an_unknown_answer_or_kind_is_refused():
    for options in ({"answer": "blended"}, {"target_kind": "counts"}):
        with pytest.raises(OptionError, match="did you mean"):
            ur.Forecaster(**options).fit(sales(60), epochs=1)


# ---- weights ---------------------------------------------------------------------------------


def test_a_member_that_is_right_gets_the_weight():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(80, 6)) * 5
    parts = {"network": truth + draw.normal(size=truth.shape) * 4, "theta": truth + draw.normal(size=truth.shape) * 0.1}
    blend = choose_blend(parts, truth, np.ones(80), None, np.arange(80))
    assert blend.weight_of("theta") > 0.9


def test_two_members_with_errors_of_their_own_share_the_weight():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(80, 6)) * 5
    parts = {name: truth + draw.normal(size=truth.shape) for name in ("network", "theta")}
    for groups in (np.arange(80), np.arange(80) // 40):  # also with too few to tell the members apart
        blend = choose_blend(parts, truth, np.ones(80), None, groups)
        assert 0.3 < blend.weight_of("theta") < 0.7


def test_steps_that_are_unknown_choose_nothing():
    truth = np.full((12, 3), np.nan)
    truth[:, 0] = 1.0
    parts = {"network": np.full((12, 3), 1.0), "theta": np.full((12, 3), 9.0)}
    assert choose_blend(parts, truth, np.full(12, np.nan), None, np.arange(12)).weight_of("network") == 1.0
    empty = {name: np.zeros((0, 3)) for name in parts}
    assert isinstance(choose_blend(empty, truth[:0], np.zeros(0), None, np.zeros(0)), Blend)


# ---- kinds of targets ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", RANGES)
def test_legal_forecasts_are_within_the_range_and_in_order(kind):
    low, high = RANGES[kind]
    answers = np.random.default_rng(0).normal(size=(50, 3, 5)) * 200
    legal = TargetRange(kind).legal(answers, quantiles=True)
    assert ((low <= legal) & (legal <= high)).all()
    assert (np.diff(legal, axis=2) >= 0).all()
    np.testing.assert_array_equal(TargetRange(kind).legal(legal, quantiles=True), legal)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0, 1, 5, 2], "count"),
        ([0, 0, 0, 7, 0, 1.5], "intermittent"),
        ([0.25, 0.5, 1.0, 1.0], "share"),
        ([20.5, 100.0, 3.0, 100.0], "percentage"),
        ([0.5, 1.25], "non-negative"),
        ([0.5, -1.25], "number"),
        ([np.nan, np.nan], "number"),
        ([], "number"),
        ([0.0, 0.0], "count"),
    ],
)
def test_kinds_are_noticed(values, kind):
    assert find_kind([np.array(values, dtype=float)]) == kind
    assert kind in KINDS


@pytest.mark.parametrize("answer", ["network", "blend"])
def test_sales_that_fall_to_nothing_are_never_forecast_below_it(answer):
    falling = np.maximum(np.round(60 - 0.4 * np.arange(150)), 0) + np.array([0, 3, 1] * 50) * (np.arange(150) < 140)
    model = ur.Forecaster(horizon=12, quantiles=[0.05, 0.5, 0.95], hidden_size=4, answer=answer)
    model.fit(falling[:138], epochs=1)
    assert model.target_kind_ == "count"
    assert model.summary_["target"] == "count"
    frame = model.backtest(falling)
    low, middle, high = (frame[name].to_numpy() for name in ("q0.05", "q0.5", "q0.95"))
    assert (low >= 0).all()
    assert (low <= middle).all()
    assert (middle <= high).all()
