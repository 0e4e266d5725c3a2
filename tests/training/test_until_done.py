"""Training without a length: when it ends, at which rate it learns, what it keeps."""

import contextlib
import itertools
import os
import signal

import pytest
import torch
from torch import nn

from training.stop_at import StopAt
from training.toy import Dealt, examples, same, shorten, toy, train, weights
from unrolled.batch import Batch, LossSum
from unrolled.errors import OptionError
from unrolled.ragged import Ragged
from unrolled.training import until_done
from unrolled.training.callbacks import Callback
from unrolled.training.history import Recipe
from unrolled.training.options import TrainingOptions
from unrolled.training.trainer import Trainer
from unrolled.training.until_done import Repeated, UntilDone, decayed


@pytest.fixture(autouse=True)
def short_runs(monkeypatch):
    shorten(monkeypatch)


class Point(nn.Module):
    """Weights that are pulled to the numbers of a batch."""

    def __init__(self, start: float = 5.0, size: int = 1) -> None:
        super().__init__()
        self.at = nn.Parameter(torch.full((size,), start))

    def loss(self, batch, state=None):
        numbers = batch.inputs["x"].values
        return LossSum((self.at - numbers.view(-1, len(self.at))).square().sum(), float(len(numbers)))


class Numbers:
    """Batches of `size` numbers around zero, the same for the same epoch."""

    def __init__(self, batches: int = 10, size: int = 2, spread: float = 1.0) -> None:
        self.batches, self.size, self.spread = batches, size, spread

    def __len__(self):
        return self.batches

    def epoch(self, index, start=0):
        generator = torch.Generator().manual_seed(index)
        drawn = self.spread * torch.randn(self.batches, self.size, generator=generator)
        for row in drawn[start:]:
            yield Batch({"x": Ragged.from_sequences([row])})


class Watch(Callback):
    """Writes down the rate and the progress of every update, and the weight after every evaluation."""

    def __init__(self):
        self.rates, self.shares, self.looks = [], [], []

    def on_update(self, trainer):
        self.rates.append(trainer.at.learning_rate)
        self.shares.append(trainer.progress)

    def on_validation(self, trainer, row):
        self.looks.append((weights(trainer.model), dict(trainer.stopping.best)))


def run(validate=None, batches=None, callbacks=(), model=None, **options):
    options = {"epochs": 0, "learning_rate": 0.5, "optimizer": "sgd", "device": "cpu", "weight_decay": 0.0, **options}
    trainer = Trainer(
        Point() if model is None else model, Numbers() if batches is None else batches, TrainingOptions(**options),
        validate=validate, callbacks=callbacks,
    )  # fmt: skip
    trainer.run()
    return trainer


def falling_until(updates):
    """Return a validation loss that falls up to an evaluation and then stays."""
    losses = itertools.chain((1.0 / (1 + n) for n in range(updates)), itertools.repeat(1.0))
    return lambda: next(losses)


# ---- the end ----------------------------------------------------------------------------------------


def test_a_loss_that_never_improves_ends_at_the_floor():
    trainer = run(lambda: 1.0)
    assert trainer.history.stopped == "patience"
    decay_from, decay = trainer.course.phase.decay_from, trainer.course.phase.decay_updates
    assert until_done.LEAST_UPDATES <= decay_from <= until_done.LEAST_UPDATES + 3
    assert decay == until_done.LEAST_DECAY
    assert trainer.at.update == decay_from + decay


def test_a_loss_that_improves_is_trained_to_the_ceiling():
    losses = itertools.count(0, -1)
    trainer = run(lambda: float(next(losses)))
    assert trainer.history.stopped == "updates"
    assert trainer.course.phase.decay_from == until_done.MOST_UPDATES


@pytest.mark.parametrize("looks", [20, 40])
def test_patience_is_a_share_of_all_updates(looks):
    trainer = run(falling_until(looks))
    phase = trainer.course.phase
    waited = phase.decay_from - phase.mark_update
    assert trainer.history.stopped == "patience"
    assert until_done.PATIENCE <= waited / phase.decay_from <= until_done.PATIENCE + 0.15


def test_improvements_too_small_to_matter_do_not_keep_it_going():
    losses = itertools.chain([1.0, 1.0], (0.5 - 1e-6 * n for n in itertools.count()))
    assert run(lambda: next(losses)).history.stopped == "patience"


def test_patience_of_the_user_is_counted_in_epochs():
    trainer = run(lambda: 1.0, patience=2)
    assert trainer.history.stopped == "patience"
    assert 20 <= trainer.course.phase.decay_from <= 24


def test_without_held_out_data_passes_over_the_data_end_it():
    losing = Point(1e4)  # it improves all the time
    trainer = run(model=losing, learning_rate=1e-4)
    assert trainer.history.stopped == "unwatched"
    assert trainer.at.epoch >= until_done.UNWATCHED_PASSES


def test_the_limit_in_time_waits_for_the_passes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("unrolled.training.trainer.time.perf_counter", lambda: now[0])
    losses = itertools.count(0, -1)

    class Slow(Callback):
        def on_update(self, trainer):
            now[0] += 20.0

    trainer = run(lambda: float(next(losses)), callbacks=[Slow()])
    assert trainer.history.stopped == "cap"
    assert trainer.course.phase.decay_from == 10 * until_done.PASSES + 1
    one_batch = run(lambda: float(next(losses)), Numbers(1), callbacks=[Slow()])
    spent = one_batch.at.seconds / 60
    assert until_done.CAP_MINUTES <= spent <= 2 * until_done.CAP_MINUTES


# ---- the rate ---------------------------------------------------------------------------------------


def test_the_rate_rises_stays_and_falls_from_the_best_weights():
    watch = Watch()
    trainer = run(falling_until(10), callbacks=[watch], warmup=0.2)
    rates, phase = torch.tensor(watch.rates) / 0.5, trainer.course.phase
    assert rates[:6].tolist() == pytest.approx([n / 7 for n in range(1, 7)])
    assert rates[6 : phase.decay_from].unique().tolist() == [1.0]
    assert bool((rates[phase.decay_from :].diff() < 0).all())
    assert rates[-1] < 0.3
    started = trainer.history.column("update").index(phase.decay_from)
    assert same(*watch.looks[started])  # the weights in use are the best ones
    assert watch.shares == sorted(watch.shares)
    assert 0 < watch.shares[0] < 0.1
    assert watch.shares[-1] == 1.0


def test_a_constant_schedule_has_no_decay():
    watch = Watch()
    trainer = run(lambda: 1.0, callbacks=[watch], schedule="constant", warmup=0.0)
    assert set(watch.rates) == {0.5}
    assert trainer.at.update == trainer.course.phase.decay_from


def test_a_schedule_that_needs_a_length_is_refused_without_one():
    with pytest.raises(OptionError, match=r"schedule: expected auto or constant .* received cosine; give epochs or"):
        TrainingOptions(epochs=0, schedule="cosine")


def test_a_decay_is_a_straight_line():
    assert [decayed(share) for share in (0.0, 0.5, 1.0, 2.0)] == pytest.approx([1.0, 0.505, 0.01, 0.01])


# ---- evaluations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [1, 7, 1000])
def test_evaluations_are_counted_in_updates_whatever_an_epoch_is(batches):
    history = run(falling_until(30), Numbers(batches)).history
    updates = history.column("update")
    assert updates[:3] == [2, 4, 6]
    pauses = torch.tensor(updates).diff()
    assert pauses.max() <= max(2, 0.05 * updates[-1]) + 1


def test_evaluations_take_a_bounded_share_of_the_steps():
    held = Numbers(1, 50)
    read = []

    class Counted(Point):
        def loss(self, batch, state=None):
            if not self.training:
                read.append(len(batch.inputs["x"].values))
            return super().loss(batch, state)

    trainer = run(held, model=Counted())
    rows = len(trainer.history)
    assert sum(read) == 2 * 50 * rows  # the weights and their average
    assert 50 * (rows - 4) <= trainer.at.steps / until_done.STEPS_PER_LOOK


# ---- what is kept -----------------------------------------------------------------------------------


def test_the_average_is_kept_where_it_is_better():
    """Noise of a high rate throws the weight about; its average is nearer to the middle."""
    quiet = Numbers(1, 20, 0.0)
    trainer = run(quiet, Numbers(size=20), model=Point(0.5, 20), learning_rate=10.0, schedule="constant")
    rows, best = trainer.history.rows, trainer.history.best
    assert sum(row.averaged for row in rows) > 0.7 * len(rows)
    loss = trainer.model.loss(next(quiet.epoch(0)))
    assert float(loss.total.detach() / loss.count) == pytest.approx(best.validation_loss)


def test_the_weights_themselves_are_kept_where_they_are_better():
    """Without noise the average lags behind."""
    history = run(Numbers(1, 50, 0.0), Numbers(spread=0.0), learning_rate=0.02).history
    assert not any(row.averaged for row in history.rows)


@pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
def test_ctrl_c_keeps_the_best_in_every_phase(share):
    length = run(Numbers(1, 20)).at.update

    class Interrupt(Callback):
        def on_update(self, trainer):
            if trainer.at.update == int(share * length):
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        trainer = run(Numbers(1, 20), callbacks=[Interrupt()])
    finally:
        signal.signal(signal.SIGINT, before)
    assert trainer.history.stopped == "interrupted"
    assert trainer.at.update == int(share * length)
    assert same(weights(trainer.model), trainer.stopping.best)


# ---- the same again ---------------------------------------------------------------------------------


def adam(folder="", callbacks=(), start=5.0, **options):
    return run(
        Numbers(1, 20), callbacks=callbacks, model=Point(start), optimizer="adamw", learning_rate=0.3, accumulate=2,
        warmup=0.3, checkpoint=str(folder), **options,
    )  # fmt: skip


@pytest.mark.parametrize("how", ["break", "stop"])
def test_a_run_stopped_in_any_phase_resumes_to_the_same_weights(how, tmp_path):
    whole = adam()
    phase, length = whole.course.phase, whole.at.update
    minutes = 0.0 if how == "break" else 1.0
    phases = (2, 13, phase.decay_from, phase.decay_from + 1, length - 1)
    for update in phases[1::2] if how == "break" else phases:
        folder = tmp_path / str(update)
        with pytest.raises(RuntimeError, match="power cut") if how == "break" else contextlib.nullcontext():
            adam(folder, [StopAt(update, how)], checkpoint_minutes=minutes)
        again = adam(folder, start=99.0, resume=True)
        assert same(weights(again.model), weights(whole.model)), update
        assert again.history.column("update") == whole.history.column("update")
        assert again.history.stopped == whole.history.stopped


def test_the_same_seed_gives_the_same_weights():
    held = Dealt(examples(3, seed=9, longest=3), 3, shuffle=False)
    first, second = (train(toy(dropout=0.3), Dealt(examples(6, longest=3), 3), held, epochs=0)[1] for _ in range(2))
    assert same(first, second)


# ---- repeated on other data -------------------------------------------------------------------------


def test_a_repeated_run_makes_the_updates_of_the_other_at_its_rates():
    first, second = Watch(), Watch()
    trainer = run(Numbers(1, 20), callbacks=[first])
    recipe = trainer.history.recipe
    options = TrainingOptions(epochs=0, learning_rate=0.5, optimizer="sgd", device="cpu")
    again = Trainer(Point(), Numbers(), options, callbacks=[second], course=Repeated(recipe, options))
    history = again.run()
    assert history.stopped == "repeated"
    assert len(second.rates) == recipe.constant + recipe.falling
    assert second.rates[: recipe.constant] == first.rates[: recipe.constant]
    start = trainer.course.phase.decay_from
    assert second.rates[recipe.constant :] == first.rates[start : start + recipe.falling]
    assert second.shares[-1] == 1.0


@pytest.mark.parametrize("averaged", [False, True])
def test_a_repeated_run_keeps_its_last_weights_or_their_average(averaged):
    options = TrainingOptions(epochs=0, learning_rate=0.5, optimizer="sgd", device="cpu")
    trainer = Trainer(Point(), Numbers(), options, course=Repeated(Recipe(20, 4, 5, averaged), options))
    ends = []

    class Last(Callback):
        def on_update(self, trainer):
            ends[:] = [weights(trainer.model)]

    trainer.callbacks.append(Last())
    trainer.run()
    assert trainer.at.update == 24
    assert same(weights(trainer.model), ends[0]) != averaged


def test_a_course_survives_a_checkpoint_of_a_run_with_a_length():
    course = UntilDone(TrainingOptions(epochs=0))
    course.restore({})
    assert course.to_json()["mark"] is None
