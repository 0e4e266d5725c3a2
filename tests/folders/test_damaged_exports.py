"""Damaged exports for NumPy and damaged checkpoints: one error each, no memory, and never another answer."""

import collections
import io
import json
import random
import shutil
import warnings
import zipfile

import numpy as np
import pytest

from folders.damage import ACCIDENTS, edit
from folders.tiny_tasks import tiny
from training.toy import resumable, same
from unrolled import disk
from unrolled.errors import ArtifactError
from unrolled.export import runner
from unrolled.export.runner import Model, ModelError
from unrolled.training.checkpoints import checkpoint_files

# ---- exports for NumPy ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return tiny("LanguageModel").model.export(tmp_path_factory.mktemp("exports") / "sound", format="numpy")


def says(folder):
    model = Model(folder)
    state = model.initial_state(1, model.zeros)
    answer, after = model.step(model.zeros, state)
    return answer.tobytes(), sorted(after)


def damage_exports(export, folder, count, seed):
    """Bits, blocks and files are lost by accident."""
    truth, tally = says(export), collections.Counter()
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        shutil.copytree(export, folder)
        path = draw.choice([folder / "model.json", next(folder.glob("weights-*"))])
        how = draw.choice([*ACCIDENTS, "flipped bits"])
        ACCIDENTS[how](path, draw)
        try:
            said = says(folder)
        except ModelError:
            tally["refused"] += 1
        except Exception as fault:
            raise AssertionError(f"{number}, {path.name}, {how}: {type(fault).__name__}") from fault
        else:
            assert said == truth, f"{number}, {path.name}, {how}"
            tally["the same"] += 1
        shutil.rmtree(folder)
    return tally


def test_a_damaged_export_is_refused_or_answers_the_same(export, tmp_path):
    assert sum(damage_exports(export, tmp_path / "x", 40, seed=0).values()) == 40


@pytest.mark.slow
def test_six_hundred_damaged_exports_are_refused_or_answer_the_same(export, tmp_path):
    tally = damage_exports(export, tmp_path / "x", 600, seed=1)
    print(f"\nexports: {dict(tally)}")
    assert sum(tally.values()) == 600


def test_a_value_that_a_stranger_changed_in_an_export_is_refused_when_it_is_opened(export, tmp_path):
    for number in range(150):
        shutil.copytree(export, tmp_path / "x")
        record = json.loads((export / "model.json").read_text())
        arrays = runner.read_arrays(next(export.glob("weights-*")).read_bytes())
        files = record.pop("files")
        del record["fingerprint"]
        what = edit(record, random.Random(f"export {number}"))
        record["fingerprint"] = runner.fingerprint(record, arrays)
        (tmp_path / "x" / "model.json").write_text(json.dumps({**record, "files": files}))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of numbers that are far too large
                says(tmp_path / "x")
        except ModelError:
            pass
        except Exception as fault:
            raise AssertionError(f"{number}, {what}: {type(fault).__name__}") from fault
        shutil.rmtree(tmp_path / "x")


def test_arrays_that_claim_more_than_the_file_holds_are_refused_before_memory_is_taken(tmp_path):
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f8", "fortran_order": False, "shape": (10**13,)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("weight.npy", array.getvalue() + bytes(32))
    with pytest.raises(ValueError, match="cannot reshape array of size 4"):
        runner.read_arrays((tmp_path / "a.npz").read_bytes())
    np.savez_compressed(tmp_path / "b.npz", weight=np.zeros(10**6))
    with pytest.raises(ModelError, match="compressed"):
        runner.read_arrays((tmp_path / "b.npz").read_bytes())


def test_an_export_over_an_export_is_seen_whole_by_a_reader(export, tmp_path):
    folder = shutil.copytree(export, tmp_path / "x")
    before = disk.digest(next(folder.glob("weights-*")))
    tiny("SequenceModel").model.export(folder, format="numpy")
    Model(folder)
    assert disk.digest(next(folder.glob("weights-*"))) != before
    assert len(list(folder.iterdir())) == 4  # run.py, model.json, the weights and the lock


# ---- checkpoints ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run, and the weights that it ended with."""
    folder = tmp_path_factory.mktemp("checkpoints")
    _, kept = resumable(str(folder))
    return folder, kept


def damage_checkpoints(run, folder, count, seed):
    """The newest checkpoint is damaged: the one before is gone on from, which a warning says."""
    sound, kept = run
    tally = collections.Counter()
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        shutil.copytree(sound, folder)
        newest = checkpoint_files(folder)[0]
        how = draw.choice([*ACCIDENTS, "flipped bits", "flipped bits"])
        ACCIDENTS[how](newest, draw)
        if newest.is_dir():  # in whose place the next checkpoint could not be written
            newest.rmdir()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, again = resumable(str(folder), resume=True)
        assert same(kept, again), f"{number}, {how}"
        if how != "lost":
            tally["said" if any("the one before is used" in str(one.message) for one in caught) else "whole"] += 1
        shutil.rmtree(folder)
    return tally


def test_a_damaged_checkpoint_gives_way_to_the_one_before(run, tmp_path):
    assert damage_checkpoints(run, tmp_path / "x", 12, seed=0)["said"] > 6


@pytest.mark.slow
def test_two_hundred_and_fifty_damaged_checkpoints_give_way_to_the_one_before(run, tmp_path):
    tally = damage_checkpoints(run, tmp_path / "x", 250, seed=1)
    print(f"\ncheckpoints: {dict(tally)}")


def test_where_every_checkpoint_is_damaged_the_run_ends_in_one_error(run, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "x")
    for file in checkpoint_files(folder):
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)
    with pytest.raises(ArtifactError, match="not what its digest says"):
        resumable(str(folder), resume=True)


def test_a_checkpoint_whose_record_does_not_fit_gives_way_to_the_one_before(run, tmp_path):
    from safetensors.torch import safe_open, save_file

    from unrolled.training.checkpoints import _digest

    folder = shutil.copytree(run[0], tmp_path / "x")
    newest = checkpoint_files(folder)[0]
    with safe_open(newest, framework="pt") as content:
        record = json.loads(content.metadata()["unrolled"])
        tensors = {name: content.get_tensor(name).clone() for name in content.keys()}  # noqa: SIM118
    for key in ("at", "tally", "watch", "history", "optimizer", "states"):
        text = json.dumps({**record, key: None})
        save_file(tensors, newest, {"unrolled": text, "sha256": _digest(text, tensors)})
        with pytest.warns(UserWarning, match="the one before is used"):
            _, again = resumable(str(folder), resume=True)
        assert same(again, run[1])
        shutil.rmtree(folder)
        shutil.copytree(run[0], folder)
