"""Law 6: every option changes something, or is refused."""

import math
from dataclasses import fields

import pytest
import torch
from torch import nn

from training.toy import Dealt, examples, gap, same, toy, train, weights
from unrolled.errors import OptionError
from unrolled.training.optimizers import make_optimizer, optimizer_names
from unrolled.training.options import TrainingOptions
from unrolled.training.sparse import Together
from unrolled.training.trainer import Trainer

# the trainer gets batches ready-made; these three are for the task that deals them out
OF_THE_TASK = {"batch_size", "bptt_steps", "validation"}

# an option, another value of it, and what must go with both
CHANGES_THE_WEIGHTS = {
    "epochs": (3, {}),
    "learning_rate": (0.02, {}),
    "optimizer": ("rmsprop", {}),
    "momentum": (0.5, {"optimizer": "sgd"}),
    "weight_decay": (0.5, {}),
    "schedule": ("linear", {}),
    "warmup": (0.5, {}),
    "max_grad_norm": (0.01, {"optimizer": "sgd"}),
    "clip_value": (0.001, {"optimizer": "sgd"}),
    "clip_band": ((5.0, 6.0), {"optimizer": "sgd"}),
    "accumulate": (2, {}),
    "precision": ("bfloat16", {}),
    "patience": (1, {"validate": lambda: 1.0, "epochs": 5}),
    "average": (0.5, {}),
    "seed": (1, {}),
}
OF_A_RUN = {"minutes", "device", "checkpoint", "checkpoint_minutes", "resume", "tensorboard", "progress"}
CHANGES_SOMETHING_ELSE = {*OF_A_RUN, "refit"}  # tests/tasks/test_refit.py


def test_every_option_is_under_test():
    names = {option.name for option in fields(TrainingOptions)}
    assert names == OF_THE_TASK | set(CHANGES_THE_WEIGHTS) | CHANGES_SOMETHING_ELSE
    assert not set(CHANGES_THE_WEIGHTS) & CHANGES_SOMETHING_ELSE


@pytest.mark.parametrize("name", sorted(CHANGES_THE_WEIGHTS))
def test_an_option_changes_the_weights(name):
    value, beside = CHANGES_THE_WEIGHTS[name]
    run = {"epochs": 2, **beside}
    default = weights(toy(dropout=0.3)) if name == "patience" else None
    before = train(toy(dropout=0.3), **run)
    after = train(toy(dropout=0.3), **{**run, name: value})
    if name == "patience":  # the best weights are those of the first epoch either way, but the run is shorter
        assert (before[0].at.epoch, after[0].at.epoch) == (5, 2)
        assert not same(before[1], default)
    else:
        assert not same(before[1], after[1])


def test_minutes_end_the_run():
    trainer, _ = train(epochs=10**6, minutes=0.002)
    assert trainer.history.stopped == "minutes"
    assert trainer.at.seconds < 2


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match="device: expected cpu, cuda or auto, received cupu"):
        train(device="cupu")
    if not torch.cuda.is_available():
        with pytest.raises(OptionError, match="give device=cpu"):
            train(device="cuda")


def test_checkpoint_options_change_what_is_written(tmp_path):
    train(checkpoint=str(tmp_path / "rare"), checkpoint_minutes=100.0)
    train(checkpoint=str(tmp_path / "often"), checkpoint_minutes=0.0)
    rare, often = (sorted(p.name for p in (tmp_path / name).iterdir()) for name in ("rare", "often"))
    assert rare == ["checkpoint-000000000000.safetensors", "checkpoint-000000000006.safetensors"]
    assert often == ["checkpoint-000000000005.safetensors", "checkpoint-000000000006.safetensors"]


def test_progress_goes_to_the_error_stream_only_when_asked_for(capsys):
    train(validate=Dealt(examples(3), 3))
    assert capsys.readouterr() == ("", "")
    train(validate=Dealt(examples(3), 3), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("epoch 2  update 6  train 0.")
    assert "validation 0." in lines[1]
    assert "steps/s" in lines[1]


# ---- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"epochs": 0, "schedule": "cosine"},
            "schedule: expected auto or constant for a run whose length is not known",
        ),
        ({"epochs": 2.5}, "epochs: expected an integer from 0 to 2147483647, received 2.5"),
        ({"epochs": True}, "epochs: expected an integer"),
        ({"epochs": -1}, "epochs: expected an integer from 0"),
        ({"learning_rate": "fast"}, "learning_rate: expected a finite number >= 0, received fast"),
        ({"learning_rate": math.nan}, "learning_rate: expected a finite number"),
        ({"minutes": math.inf}, "minutes: expected a finite number"),
        ({"accumulate": 0}, "accumulate: expected an integer from 1"),
        ({"warmup": 1.0}, "warmup: expected a number in [0, 1)"),
        ({"average": -0.1}, "average: expected a number in [0, 1)"),
        ({"precision": "float16"}, "did you mean 'bfloat16'"),
        ({"schedule": "cosinus"}, "did you mean 'cosine'"),
        ({"clip_band": (2.0, 1.0)}, "clip_band: expected (low, high)"),
        ({"clip_band": (1.0,)}, "clip_band: expected (low, high)"),
        ({"clip_band": "ab"}, "clip_band: expected (low, high)"),
        ({"clip_band": (0.1, 1.0), "max_grad_norm": 5.0}, "max_grad_norm: expected 0 with clip_band"),
        ({"resume": True}, "give checkpoint=FOLDER"),
        ({"resume": 1}, "resume: expected True or False"),
        ({"optimizer": 3}, "optimizer: expected a text"),
    ],
)
def test_a_value_outside_its_range_is_refused(options, words):
    with pytest.raises(OptionError) as caught:
        TrainingOptions(**options)
    assert words in str(caught.value)


def test_an_unknown_option_suggests_the_nearest():
    with pytest.raises(OptionError, match="did you mean 'learning_rate'"):
        TrainingOptions.from_keywords({"learning_rat": 1})


def test_whole_numbers_lists_and_paths_become_what_the_option_is(tmp_path):
    options = TrainingOptions(minutes=3, clip_band=[0, 1], checkpoint=tmp_path)  # type: ignore[arg-type]
    assert (options.minutes, options.clip_band, options.checkpoint) == (3.0, (0.0, 1.0), str(tmp_path))
    assert isinstance(options.minutes, float)


def test_a_limit_that_is_given_replaces_the_default_of_the_other():
    defaults = {"epochs": 7, "max_grad_norm": 0.5}
    assert TrainingOptions.from_keywords({}, defaults).epochs == 7
    assert TrainingOptions.from_keywords({"minutes": 1}, defaults).epochs == 0
    assert TrainingOptions.from_keywords({"minutes": 1, "epochs": 3}, defaults).epochs == 3
    assert TrainingOptions.from_keywords({"epochs": 3}, {"minutes": 1.0}).minutes == 0
    assert TrainingOptions.from_keywords({"clip_band": (1, 2)}, defaults).max_grad_norm == 0
    with pytest.raises(OptionError, match="leave one of the two out"):
        TrainingOptions.from_keywords({"clip_band": (1, 2), "max_grad_norm": 1.0})


# ---- optimisers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(optimizer_names()))
def test_every_optimiser_that_is_offered_moves_every_weight(name):
    _, after = train(optimizer=name, weight_decay=0.0, epochs=1)
    before = weights(toy())
    assert all(bool(after[key].isfinite().all()) for key in before)
    assert [key for key in before if torch.equal(before[key], after[key])] == []


def test_muon_learns_matrices_and_adamw_the_rest_at_one_rate_and_decay():
    model = toy()
    optimizer = make_optimizer(model, TrainingOptions(optimizer="muon", learning_rate=0.02, weight_decay=0.3))
    assert isinstance(optimizer, Together)
    muon, adamw = optimizer.parts
    assert isinstance(adamw, torch.optim.AdamW)
    names = {id(p): name for name, p in model.named_parameters()}
    taken, others = ({names[id(p)] for group in part.param_groups for p in group["params"]} for part in (muon, adamw))
    assert taken == {"cell.weight_ih", "cell.weight_hh", "out.weight"}
    assert taken | others == set(names.values())
    assert not taken & others
    assert {group["lr"] for group in optimizer.param_groups} == {0.02}
    assert [group["weight_decay"] for group in optimizer.param_groups] == [0.3, 0.0]
    alone = nn.Linear(3, 2, bias=False)
    assert isinstance(make_optimizer(alone, TrainingOptions(optimizer="muon")), torch.optim.Muon)


def test_a_misspelt_optimiser_suggests_the_nearest_in_any_case():
    with pytest.raises(OptionError, match="did you mean 'adamw'"):
        train(optimizer="AdamWW")
    assert same(train(optimizer="AdamW")[1], train(optimizer="adamw")[1])


@pytest.mark.parametrize(
    ("name", "option"), [("adam", {"momentum": 0.9}), ("rprop", {"weight_decay": 0.01}), ("lbfgs", {})]
)
def test_what_an_optimiser_does_not_have_is_refused(name, option):
    with pytest.raises(OptionError) as caught:
        train(optimizer=name, **{"weight_decay": 0.0, **option})
    assert next(iter(option), "optimizer") in str(caught.value)


def test_biases_and_embeddings_do_not_decay():
    class Zero:
        pass

    model = toy()
    optimizer = make_optimizer(model, TrainingOptions(weight_decay=0.3))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    by_name = {name: decays[id(p)] for name, p in model.named_parameters()}
    assert {name for name, decay in by_name.items() if decay} == {"cell.weight_ih", "cell.weight_hh", "out.weight"}


def test_frozen_weights_stay_and_a_model_without_others_is_refused():
    model = toy()
    model.table.requires_grad_(False)
    _, after = train(model)
    assert torch.equal(after["table.weight"], toy().table.weight)
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(OptionError, match="parameters that learn"):
        Trainer(model, Dealt(examples(), 4), TrainingOptions())


def test_without_a_learning_rate_the_optimiser_uses_its_own():
    optimizer = make_optimizer(nn.Linear(1, 1), TrainingOptions(optimizer="adadelta"))
    assert optimizer.param_groups[0]["lr"] == 1.0


def test_bfloat16_keeps_float32_weights_close_to_those_of_float32():
    _, exact = train()
    _, rough = train(precision="bfloat16")
    assert {tensor.dtype for tensor in rough.values()} == {torch.float32}
    assert 0 < gap(exact, rough) < 0.05
