"""Schedules are functions of progress that peak at 1 and follow the clock."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.toy import Dealt, examples, toy, train
from unrolled.errors import OptionError
from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions
from unrolled.training.schedules import SCHEDULES, make_schedule
from unrolled.training.trainer import Trainer

NAMES = sorted(SCHEDULES)
ENDS = {"constant": 1.0, "linear": 0.01, "cosine": 0.01, "onecycle": 0.001, "step": 0.01, "exponential": 0.01}


class Rates(Callback):
    def __init__(self):
        self.seen = []

    def on_update(self, trainer):
        self.seen.append(trainer.optimizer.param_groups[0]["lr"])


@pytest.mark.parametrize("name", NAMES)
@given(st.floats(0, 1), st.floats(0, 0.9))
def test_a_rate_is_never_above_the_one_asked_for_nor_below_zero(name, progress, warmup):
    assert 0 <= make_schedule(name, warmup)(progress) <= 1 + 1e-12


@pytest.mark.parametrize("name", [name for name in NAMES if name != "onecycle"])
@given(st.floats(0, 1), st.floats(0, 1))
def test_a_schedule_without_warmup_never_rises(name, a, b):
    rate = make_schedule(name)
    assert rate(min(a, b)) >= rate(max(a, b)) - 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_ends_where_it_says_also_beyond_the_end(name):
    rate = make_schedule(name, 0.1)
    assert rate(1.0) == pytest.approx(ENDS[name])
    assert rate(1.7) == rate(1.0)


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_reaches_one(name):
    assert max(make_schedule(name)(i / 1000) for i in range(1001)) == pytest.approx(1.0)


def test_one_cycle_rises_and_then_falls():
    rate = [make_schedule("onecycle")(i / 100) for i in range(101)]
    assert rate[:31] == sorted(rate[:31])
    assert rate[30:] == sorted(rate[30:], reverse=True)


@pytest.mark.parametrize("name", NAMES)
@given(st.floats(0, 0.3), st.floats(0, 0.3))
def test_warmup_rises_from_zero_to_where_the_schedule_starts(name, a, b):
    rate = make_schedule(name, 0.3)
    assert rate(0.0) == 0.0
    assert rate(min(a, b)) <= rate(max(a, b))
    assert rate(0.3) == pytest.approx(SCHEDULES[name](0.0))


def test_an_unknown_schedule_suggests_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'cosine'"):
        make_schedule("cosin")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_rates_follow_the_epochs_evenly_and_the_first_is_not_zero(accumulate):
    rates = Rates()
    train(batches=Dealt(examples(16), 4), epochs=5, accumulate=accumulate, schedule="linear", warmup=0.0,
          callbacks=[rates])  # fmt: skip
    assert len(rates.seen) == 20 / accumulate
    steps = torch.tensor(rates.seen).diff()
    assert torch.allclose(steps, steps.mean().expand(len(steps)), atol=1e-6)
    assert rates.seen[0] < 0.01
    assert rates.seen[-1] > 0


def test_a_cosine_over_minutes_follows_the_clock(monkeypatch):
    """A fake clock: every look at it is a tenth of a second later; nothing else tells the time."""
    ticks = iter(range(10**9))
    monkeypatch.setattr("unrolled.training.trainer.time.perf_counter", lambda: next(ticks) * 0.1)
    rates = Rates()
    seconds = []

    class Watchful(Rates):
        def on_update(self, trainer):
            seconds.append(trainer.at.seconds)

    options = TrainingOptions.from_keywords(
        {"minutes": 0.5, "learning_rate": 1.0, "schedule": "cosine", "warmup": 0.0, "device": "cpu"}
    )
    trainer = Trainer(toy(), Dealt(examples(4), 4), options, callbacks=[rates, Watchful()])
    history = trainer.run()
    cosine = [SCHEDULES["cosine"](s / 30.0) for s in seconds]
    assert history.stopped == "minutes"
    assert rates.seen == pytest.approx(cosine, abs=1e-6)
    assert rates.seen[-1] < 0.02
    assert trainer.at.epoch > 10  # the epochs are many, and none of them mattered


def test_epochs_and_minutes_together_end_with_the_first():
    trainer, _ = train(minutes=10.0, epochs=2)
    assert trainer.history.stopped == "epochs"
    trainer, _ = train(minutes=0.002, epochs=10**6)
    assert trainer.history.stopped == "minutes"
