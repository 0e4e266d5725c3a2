"""Checkpoints are whole or absent, and a resumed run gives the weights of an unbroken one."""

import contextlib
import errno
import os
import random
import signal
import time

import pytest
import torch

from training.children import Child, die_while_writing, run_resumable
from training.stop_at import StopAt
from training.toy import RESUMABLE, Dealt, Toy, examples, resumable, same, toy, train
from unrolled.errors import ArtifactError
from unrolled.training import checkpoints
from unrolled.training.checkpoints import checkpoint_files, use_newest, write_checkpoint


def read_newest(folder):
    found = []
    file = use_newest(folder, lambda record, tensors, file: found.append((file, record, tensors)))
    assert file == (found[0][0] if found else None)
    return found[0] if found else None


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    trainer, kept = resumable(str(tmp_path_factory.mktemp("unbroken")))
    assert trainer.at.update > 12
    return trainer, kept


def stop_then_resume(folder, update, how, **options):
    callbacks = [StopAt(update, how)]
    batches, validate = Dealt(examples(16), 4, bptt=3), Dealt(examples(6, seed=9), 6, shuffle=False)
    options = {**RESUMABLE, "checkpoint": str(folder), **options}
    with pytest.raises(RuntimeError, match="power cut") if how == "break" else contextlib.nullcontext():
        train(toy(dropout=0.3), batches, validate, callbacks, **options)
    # another initial model: everything must come from the checkpoint
    return train(toy(seed=99, dropout=0.3), batches, validate, **{**options, "resume": True})


@pytest.mark.parametrize("how", ["break", "stop"])
@pytest.mark.parametrize("update", sorted(random.Random(0).sample(range(1, 15), 5)))
def test_a_run_stopped_anywhere_resumes_to_the_same_weights(update, how, tmp_path, unbroken):
    trainer, kept = stop_then_resume(tmp_path, update, how)
    assert same(kept, unbroken[1])
    ours, theirs = trainer.history, unbroken[0].history
    for name in ("epoch", "update", "train_loss", "validation_loss", "learning_rate", "grad_norm"):
        assert ours.column(name) == theirs.column(name)
    assert ours.stopped == "epochs"


@pytest.mark.parametrize(
    ("optimizer", "momentum"),
    [("sgd", 0.9), ("adam", 0.0), ("nadam", 0.0), ("adafactor", 0.0), ("asgd", 0.0), ("muon", 0.0)],
)
def test_every_kind_of_optimiser_state_survives(optimizer, momentum, tmp_path):
    options = {"optimizer": optimizer, "momentum": momentum, "learning_rate": 0.05}
    _, whole = resumable(str(tmp_path / "whole"), **options)
    _, resumed = stop_then_resume(tmp_path / "stopped", 5, "break", **options)
    assert same(whole, resumed)


def test_a_finished_run_resumes_to_what_it_was_and_can_go_on(tmp_path):
    trainer, kept = resumable(str(tmp_path))
    updates = trainer.at.update
    again, the_same = resumable(str(tmp_path), resume=True)
    assert same(kept, the_same)
    assert again.at.update == updates
    longer, _ = resumable(str(tmp_path), resume=True, epochs=5)
    assert longer.at.epoch == 5
    assert longer.at.update > updates


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path, unbroken):
    with pytest.raises(RuntimeError):
        train(
            toy(dropout=0.3), Dealt(examples(16), 4, bptt=3), Dealt(examples(6, seed=9), 6, shuffle=False),
            [StopAt(7, "break")], **RESUMABLE, checkpoint=str(tmp_path),
        )  # fmt: skip
    newest, before = checkpoint_files(tmp_path)
    newest.write_bytes(newest.read_bytes()[:-100])
    with pytest.warns(UserWarning, match=rf"{newest.name}.*it is damaged.*the one before is used: .*{before.name}"):
        _, kept = resumable(str(tmp_path), resume=True)
    assert same(kept, unbroken[1])
    assert before.name == "checkpoint-000000000005.safetensors"


# ---- kill -9 ----------------------------------------------------------------------------------------


def kill_and_resume(folder, kills, generator, unbroken):
    killed = 0
    for _ in range(kills):
        child = Child(run_resumable, folder, 0.01)
        child.hear()  # the first update is made
        time.sleep(generator.uniform(0, 0.1))
        child.signal(signal.SIGKILL)
        killed += child.end() == -signal.SIGKILL
    assert killed >= 1
    child = Child(run_resumable, folder, 0.0)
    assert child.end() == 0, child.errors.read_text()
    assert same(torch.load(folder / "weights.pt"), unbroken[1])
    assert not list(folder.rglob("*.new"))


def test_a_killed_run_resumes_to_the_same_weights(tmp_path, unbroken):
    kill_and_resume(tmp_path, 2, random.Random(1), unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_runs_killed_at_many_moments_resume_to_the_same_weights(seed, tmp_path, unbroken):
    kill_and_resume(tmp_path, 1 + seed % 3, random.Random(100 + seed), unbroken)


@pytest.mark.parametrize("moment", ["save_file", "flush", "replace"])
def test_a_kill_during_the_writing_leaves_the_older_checkpoint(moment, tmp_path):
    child = Child(die_while_writing, tmp_path, moment)
    assert child.end() == -signal.SIGKILL, child.errors.read_text()
    assert len(list(tmp_path.glob(".*.new"))) == 1
    found = read_newest(tmp_path)
    assert found is not None
    assert found[1]["a"] == 1
    assert torch.equal(found[2]["x"], torch.ones(3))
    write_checkpoint(tmp_path, 3, {}, {})  # the next one clears what was left behind
    assert not list(tmp_path.glob(".*.new"))


# ---- the files --------------------------------------------------------------------------------------


def test_the_two_newest_are_kept(tmp_path):
    for update in (3, 20, 100):
        write_checkpoint(tmp_path, update, {"update": update}, {"x": torch.tensor(update)})
    assert [file.name for file in checkpoint_files(tmp_path)] == [
        "checkpoint-000000000100.safetensors",
        "checkpoint-000000000020.safetensors",
    ]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_gives_back_what_it_was_given(tmp_path):
    shared = torch.randn(3, 4)
    tensors = {"a": shared, "b": shared.T, "c": torch.empty(0, 5), "d": torch.ones(2, dtype=torch.bfloat16)}
    file = write_checkpoint(tmp_path / "new" / "folder", 1, {"list": [1.1, None, "é"]}, tensors)
    found = read_newest(file.parent)
    assert found is not None
    assert found[0] == file
    assert found[1]["list"] == [1.1, None, "é"]
    assert all(torch.equal(found[2][name], tensor) for name, tensor in tensors.items())


def test_a_folder_without_checkpoints_has_none(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert read_newest(tmp_path) is None
    assert read_newest(tmp_path / "absent") is None


@pytest.mark.parametrize("where", ["replace", "save_file", "flush"])
def test_a_full_disk_is_an_artifact_error_and_the_older_checkpoint_stays(where, tmp_path, monkeypatch):
    write_checkpoint(tmp_path, 1, {"a": 1}, {"x": torch.ones(2)})

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoints, where, full)
    with pytest.raises(ArtifactError, match=r"No space left on device.*earlier checkpoints there are unharmed"):
        write_checkpoint(tmp_path, 2, {"a": 2}, {"x": torch.zeros(2)})
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint-000000000001.safetensors"]
    assert read_newest(tmp_path)[1]["a"] == 1


def test_a_disk_that_fills_up_during_training_ends_it_with_healthy_weights(tmp_path, monkeypatch):
    writes = []
    real = os.replace

    def fills_up(*arguments):
        writes.append(1)
        if len(writes) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, "replace", fills_up)
    model = toy()
    with pytest.raises(ArtifactError, match=r"No space left"):
        train(model, checkpoint=str(tmp_path), checkpoint_minutes=0.0)
    assert checkpoint_files(tmp_path)[0].name == "checkpoint-000000000002.safetensors"
    assert all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values())


def test_a_place_that_cannot_be_written_is_reported_before_training(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    updates = StopAt(1, "break")
    with pytest.raises(ArtifactError, match="checkpoint: expected a writable folder"):
        train(checkpoint=str(tmp_path / "file"), callbacks=[updates])


def test_a_folder_with_another_run_is_not_overwritten(tmp_path):
    train(checkpoint=str(tmp_path))
    with pytest.raises(ArtifactError, match="give resume=True to continue that run"):
        train(checkpoint=str(tmp_path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"optimizer": "sgd"}, "expected a run with optimizer='sgd', received optimizer='adamw'"),
        ({"seed": 1}, "seed=1"),
        ({"average": 0.5}, "average=0.5"),
        ({"clip_band": (0.0, 2.0)}, "clip_band"),
        ({"model": "hidden"}, "this model's cell.weight_ih of shape"),
        ({"model": "other"}, "this model's weight of shape"),
        ({"batches": 2}, "expected a run with 6 batches per epoch, received 3"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(change, words, tmp_path):
    train(checkpoint=str(tmp_path))
    models = {"hidden": Toy(hidden=6), "other": Linear()}
    model = models.get(change.pop("model", ""))
    batches = Dealt(examples(), change.pop("batches", 4))
    with pytest.raises(ArtifactError) as caught:
        train(model, batches, checkpoint=str(tmp_path), resume=True, **change)
    assert words in str(caught.value)


class Linear(torch.nn.Linear):
    def __init__(self):
        super().__init__(2, 1)


def test_foreign_damaged_and_newer_files_are_refused(tmp_path, monkeypatch):
    file = tmp_path / "checkpoint-000000000001.safetensors"
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(ArtifactError, match="it is damaged"):
        read_newest(tmp_path)
    checkpoints.save_file({"x": torch.ones(1)}, file)
    with pytest.raises(ArtifactError, match="a file written by unrolled"):
        read_newest(tmp_path)
    monkeypatch.setattr(checkpoints, "VERSION", 99)
    write_checkpoint(tmp_path, 1, {}, {"x": torch.ones(1)})
    monkeypatch.undo()
    with pytest.raises(ArtifactError, match="saved by a newer unrolled"):
        read_newest(tmp_path)
