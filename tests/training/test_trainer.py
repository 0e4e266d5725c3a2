"""The loop: hooks, history, early stopping, averages, faults."""

import json
import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from training.toy import Dealt, examples, gap, same, toy, train, weights
from unrolled.batch import Batch, LossSum
from unrolled.errors import DataError, NonFiniteLossError
from unrolled.ragged import Ragged
from unrolled.training.callbacks import Callback
from unrolled.training.history import History
from unrolled.training.options import TrainingOptions
from unrolled.training.seeds import reproducible, seed_everything
from unrolled.training.trainer import Trainer
from unrolled.training.weights import live_weights


def validation():
    return Dealt(examples(6, seed=9), 3, shuffle=False)


class Log(Callback):
    """Writes down every hook, and what the weights were at each look."""

    def __init__(self):
        self.calls, self.looks = [], []

    def on_train_start(self, trainer):
        self.calls.append("train_start")

    def on_epoch_start(self, trainer):
        self.calls.append("epoch_start")

    def on_batch_start(self, trainer, batch):
        assert isinstance(batch, Batch)
        self.calls.append("batch_start")

    def on_grad_computed(self, trainer, named_parameters):
        assert all(parameter.grad is not None for _, parameter in named_parameters)
        self.calls.append("grad_computed")

    def on_update(self, trainer):
        assert math.isfinite(trainer.loss)
        self.calls.append("update")

    def on_validation(self, trainer, row):
        assert row is trainer.history.rows[-1]
        self.looks.append(weights(trainer.model))
        self.calls.append("validation")

    def on_epoch_end(self, trainer):
        self.calls.append("epoch_end")

    def on_train_end(self, trainer):
        self.calls.append("train_end")


def test_hooks_are_called_in_order():
    log = Log()
    train(batches=Dealt(examples(6), 2), accumulate=2, epochs=2, validate=validation(), callbacks=[log])
    batch = ["batch_start"]
    update = ["grad_computed", "update"]
    epoch = ["epoch_start", *batch, *batch, *update, *batch, *update, "validation", "epoch_end"]
    assert log.calls == ["train_start", *epoch, *epoch, "train_end"]


def test_a_callback_without_methods_is_welcome():
    assert len(train(callbacks=[Callback()])[0].history) == 2


# ---- learning ---------------------------------------------------------------------------------------


def test_training_learns():
    trainer, _ = train(epochs=30, validate=validation())
    rows = trainer.history.rows
    assert rows[-1].train_loss < 0.3 * rows[0].train_loss
    assert trainer.history.best.validation_loss < 0.5 * rows[0].validation_loss


def test_the_model_is_left_in_evaluation_mode_without_gradients():
    trainer, _ = train()
    assert not trainer.model.training
    assert all(parameter.grad is None for parameter in trainer.model.parameters())


def test_same_seed_same_weights_and_another_seed_others():
    one, two = (train(toy(dropout=0.5), seed=4)[1] for _ in range(2))
    other = train(toy(dropout=0.5), seed=5)[1]
    assert same(one, two)
    assert not same(one, other)


def test_looking_does_not_disturb_the_random_numbers():
    quiet = train(toy(dropout=0.5), epochs=1)[1]
    looked = train(toy(dropout=0.5), epochs=1, validate=lambda: float(torch.rand(())))[1]
    assert same(quiet, looked)


def test_validation_is_weighted_by_counts_and_carries_state():
    data = examples(7, seed=9, shortest=1)
    trainer, after = train(epochs=1, validate=Dealt(data, 2, shuffle=False, bptt=2))
    model = toy()
    model.load_state_dict(after)
    result = model.eval().loss(data)
    assert trainer.history.rows[0].validation_loss == pytest.approx(result.total.item() / result.count, rel=1e-5)


def test_validation_runs_in_evaluation_mode_and_training_does_not():
    modes = []
    model = toy()
    inner = model.loss
    model.loss = lambda batch, state=None: (modes.append(model.training), inner(batch, state))[1]
    train(model, Dealt(examples(4), 4), Dealt(examples(4), 4), epochs=2)
    assert modes == [True, False, True, False]


def test_training_loss_of_an_epoch_is_the_mean_over_real_steps():
    data = examples(7)
    trainer, _ = train(batches=Dealt(data, 2), epochs=1, optimizer="sgd", learning_rate=1e-12)
    result = toy().loss(data)
    assert trainer.history.rows[0].train_loss == pytest.approx(result.total.item() / result.count, rel=1e-5)


# ---- early stopping ---------------------------------------------------------------------------------


def scripted(*losses):
    remaining = list(losses)
    return lambda: remaining.pop(0)


def test_early_stopping_restores_the_best_weights():
    log = Log()
    trainer, kept = train(epochs=50, patience=2, validate=scripted(3.0, 1.0, 2.0, 1.5, 0.0), callbacks=[log])
    assert trainer.history.stopped == "patience"
    assert trainer.history.column("validation_loss") == [3.0, 1.0, 2.0, 1.5]
    assert trainer.history.best.epoch == 2
    assert same(kept, log.looks[1])
    assert not same(kept, log.looks[3])


def test_the_best_weights_are_kept_without_early_stopping_too():
    log = Log()
    trainer, kept = train(epochs=4, validate=scripted(3.0, 1.0, 2.0, 1.5), callbacks=[log])
    assert trainer.history.stopped == "epochs"
    assert same(kept, log.looks[1])


def test_without_validation_the_training_loss_is_watched():
    class Detour(nn.Module):
        """A model whose loss is said to be worse from the seventh batch on."""

        def __init__(self):
            super().__init__()
            self.inner, self.calls = toy(), 0

        def loss(self, batch, state=None):
            self.calls += 1
            result = self.inner.loss(batch, state)
            return LossSum(result.total + (100 * result.count if self.calls > 6 else 0), result.count)

    log = Log()
    trainer, kept = train(Detour(), epochs=9, patience=2, callbacks=[log])
    assert trainer.history.stopped == "patience"
    assert trainer.at.epoch == 4
    assert same(kept, log.looks[1])


def test_patience_zero_never_stops():
    trainer, _ = train(epochs=6, patience=0, validate=scripted(1, 2, 3, 4, 5, 6))
    assert len(trainer.history) == 6


def test_a_callback_may_stop_the_run_after_the_update():
    class Enough(Callback):
        def on_update(self, trainer):
            if trainer.at.update == 4:
                trainer.stop()

    trainer, _ = train(epochs=9, callbacks=[Enough()], validate=validation())
    assert trainer.history.stopped == "callback"
    assert trainer.at.update == 4
    assert trainer.history.rows[-1].update == 4
    assert trainer.history.rows[-1].epoch == pytest.approx(1 + 1 / 3)
    assert not trainer.history.interrupted


# ---- a budget of time -------------------------------------------------------------------------------


def test_looks_take_a_small_share_of_a_time_budget(monkeypatch):
    """A fake clock, shared by trainer and watch: an update takes 5 s, a look 6 s, the budget is 1200 s."""
    now = [0.0]
    monkeypatch.setattr("unrolled.training.trainer.time.perf_counter", lambda: now[0])

    def look():
        now[0] += 6.0
        return 1.0 / (1 + now[0])

    class Slow(Callback):
        def on_update(self, trainer):
            now[0] += 5.0

    trainer, _ = train(minutes=20.0, epochs=10**6, validate=look, callbacks=[Slow()])
    rows = trainer.history.rows
    assert 5 <= len(rows) <= 12
    assert 6.0 * len(rows) <= 0.1 * 1200
    assert 1180 <= rows[-1].seconds <= 1201  # the last look is inside the budget
    assert trainer.history.stopped == "minutes"


def test_a_long_epoch_is_looked_at_within(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("unrolled.training.trainer.time.perf_counter", lambda: now[0])

    class Slow(Callback):
        def on_update(self, trainer):
            now[0] += 1.0

    trainer, _ = train(
        batches=Dealt(examples(200), 1), minutes=100 / 60, epochs=10**6, validate=lambda: 1.0, callbacks=[Slow()]
    )
    assert trainer.at.epoch == 0
    assert len(trainer.history) == pytest.approx(10, abs=1)
    assert [row.epoch for row in trainer.history.rows] == sorted({row.epoch for row in trainer.history.rows})


# ---- average ----------------------------------------------------------------------------------------


def test_the_average_is_what_is_watched_and_kept():
    looks, own = [], []

    class Own(Callback):
        def on_update(self, trainer):
            own.append(weights(trainer.model))

    model = toy()

    def look():
        looks.append(weights(model))
        return -len(looks)

    _, kept = train(model, epochs=2, average=0.9, validate=look, callbacks=[Own()])
    expected = weights(toy())
    for number, after in enumerate(own, start=1):
        share = min(0.9, (1 + number) / (10 + number))
        expected = {name: share * value + (1 - share) * after[name] for name, value in expected.items()}
    assert gap(kept, expected) < 1e-6
    assert same(kept, looks[-1])
    assert not same(kept, own[-1])


# ---- faults -----------------------------------------------------------------------------------------


class Poisoned(nn.Module):
    """Gives NaN, infinity, or a broken gradient, from its n-th batch on."""

    def __init__(self, at, how):
        super().__init__()
        self.inner, self.at, self.how, self.calls = toy(), at, how, 0

    def loss(self, batch, state=None):
        self.calls += self.training
        result = self.inner.loss(batch, state)
        if self.calls < self.at:
            return result
        if self.how == "gradient":
            return LossSum(result.total + (self.inner.out.bias.sum() * 0).sqrt() * 0, result.count)
        return LossSum(result.total * float(self.how), result.count)


@pytest.mark.parametrize("how", ["nan", "inf", "gradient"])
@pytest.mark.parametrize("validate", [None, "batches"])
def test_a_non_finite_loss_or_gradient_stops_and_leaves_healthy_weights(how, validate, tmp_path):
    log = Log()
    model = Poisoned(5, how)
    with pytest.raises(NonFiniteLossError) as caught:
        train(
            model,
            validate=validation() if validate else None,
            checkpoint=str(tmp_path),
            checkpoint_minutes=0.0,
            callbacks=[log],
        )
    text = str(caught.value)
    assert "at update 5 (epoch 2, batch 2)" in text
    assert "those after epoch 1" in text
    assert "checkpoint-000000000004.safetensors" in text
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())
    assert same(weights(model), log.looks[0])
    assert log.calls[-1] == "train_end"


def test_a_fault_before_the_first_look_leaves_the_last_finite_weights():
    model = Poisoned(3, "nan")
    with pytest.raises(NonFiniteLossError, match=r"batches 3 to 4.*the last finite ones"):
        train(model, batches=Dealt(examples(12), 2), accumulate=2, epochs=1)
    assert not same(weights(model.inner), weights(toy()))
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())


def test_weights_that_overflowed_are_taken_back():
    class Explode(Callback):
        def on_update(self, trainer):
            if trainer.at.update == 2:
                with torch.no_grad():
                    next(trainer.model.parameters()).fill_(math.inf)

    model = toy()
    with pytest.raises(NonFiniteLossError):
        train(model, callbacks=[Explode()])
    assert same(weights(model), weights(toy()))


def test_a_validation_loss_of_nan_is_a_fault():
    with pytest.raises(NonFiniteLossError, match=r"validation loss: .*received nan after update 3"):
        train(validate=lambda: math.nan)


def test_data_without_batches_or_targets_is_refused():
    empty = Batch({"x": Ragged.from_sequences([])}, targets=Ragged.from_sequences([]))
    with pytest.raises(DataError, match="at least one target in an epoch"):
        train(batches=Dealt(empty, 4))
    with pytest.raises(DataError, match="validation: expected data with targets"):
        train(validate=Dealt(empty, 4))


# ---- small parts ------------------------------------------------------------------------------------


def test_history_survives_json():
    trainer, _ = train(validate=validation())
    history = trainer.history
    again = History.from_json(json.loads(json.dumps(history.to_json(), allow_nan=False)))
    assert again == history
    assert again.column("update") == [3, 6]
    assert all(row.steps_per_second > 0 and row.learning_rate > 0 and row.grad_norm > 0 for row in again.rows)


def test_seeding_reaches_every_generator():
    draws = []
    for _ in range(2):
        seed_everything(2**40 + 5)
        draws.append((random.random(), float(np.random.rand()), float(torch.rand(()))))  # noqa: NPY002
    assert draws[0] == draws[1]


def test_repeated_indices_are_summed_in_the_same_order_every_time():
    assert not torch.are_deterministic_algorithms_enabled()
    with reproducible(torch.device("cpu")):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()
    inside = []
    train(callbacks=[type("Look", (Callback,), {"on_update": lambda s, t: inside.append(
        torch.are_deterministic_algorithms_enabled())})()])  # fmt: skip
    assert all(inside)


def test_a_shared_weight_is_named_once():
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    model["b"].weight = model["a"].weight
    assert list(live_weights(model)) == ["a.weight", "a.bias", "b.bias"]


def test_a_length_that_is_only_an_estimate_never_moves_progress_backwards():
    class Estimate(Dealt):
        def __len__(self):
            return 2

    seen = []

    class Watch(Callback):
        def on_update(self, trainer):
            seen.append(trainer.progress)

    options = TrainingOptions(epochs=3, device="cpu")
    Trainer(toy(), Estimate(examples(20), 4), options, callbacks=[Watch()]).run()
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
