"""A model folder is written whole or not at all, and read only if it is whole."""

import json
import os
import stat
from pathlib import Path

import pytest
import torch

from unrolled import artifacts
from unrolled.artifacts import CARD, MODEL, WEIGHTS, read_model, refuse_foreign, write_model
from unrolled.errors import ArtifactError

RECORD = {"task": "Toy", "learnt": {"words": ["Gruß", "日本"], "scale": 0.5, "none": None}}
TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.float16), "no": torch.zeros(0)}


def write(folder: Path, number: int = 1) -> Path:
    return write_model(folder, {**RECORD, "number": number}, {**TENSORS, "number": torch.tensor(number)}, f"# {number}")


def assert_holds(folder: Path, number: int) -> None:
    record, tensors = read_model(folder)
    assert record["number"] == number
    assert int(tensors["number"]) == number
    assert (folder / CARD).read_text() == f"# {number}"


def test_what_is_written_is_read_back(tmp_path):
    folder = write(tmp_path / "deep" / "model")
    record, tensors = read_model(str(folder))
    assert record["learnt"] == RECORD["learnt"]
    assert record["task"] == "Toy"
    for name, tensor in TENSORS.items():
        assert tensors[name].dtype == tensor.dtype
        assert torch.equal(tensors[name], tensor)


def test_further_texts_lie_beside_the_card(tmp_path):
    folder = write_model(tmp_path / "m", RECORD, TENSORS, "# Karte\n", {"config.toml": "a = 1\n"})
    assert sorted(file.name for file in folder.iterdir()) == sorted([MODEL, WEIGHTS, CARD, "config.toml"])
    assert (folder / "config.toml").read_text() == "a = 1\n"
    assert (folder / CARD).read_text() == "# Karte\n"


def test_views_and_tensors_with_a_gradient_are_saved_by_value(tmp_path):
    grown = torch.arange(6.0).reshape(2, 3).requires_grad_()
    folder = write_model(tmp_path / "m", RECORD, {"turned": grown.T}, "")
    assert torch.equal(read_model(folder)[1]["turned"], grown.detach().T)


def test_others_may_read_a_saved_model(tmp_path):
    assert stat.S_IMODE(write(tmp_path / "m").stat().st_mode) == 0o755


def test_tensors_that_share_memory_are_saved(tmp_path):
    shared = torch.arange(4.0)
    folder = write_model(tmp_path / "m", RECORD, {"one": shared, "two": shared}, "")
    assert torch.equal(read_model(folder)[1]["two"], shared)


def test_a_newer_model_replaces_an_older_one_and_leaves_no_rest(tmp_path):
    write_model(tmp_path / "m", {**RECORD, "number": 1}, TENSORS, "", {"old.txt": "x"})
    write(tmp_path / "m", 2)
    assert_holds(tmp_path / "m", 2)
    assert not (tmp_path / "m" / "old.txt").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "m").mkdir()
    write(tmp_path / "m", 3)
    assert_holds(tmp_path / "m", 3)


def fail(*args, **kwargs):
    raise OSError(28, "No space left on device")


def fail_second_rename():
    real, calls = os.rename, []

    def rename(source, target):
        calls.append(source)
        if len(calls) == 2:
            fail()
        real(source, target)

    return rename


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        (os, "rename", lambda: fail),
        (os, "rename", fail_second_rename),
        (artifacts, "save_file", lambda: fail),
        (artifacts.tempfile, "mkdtemp", lambda: fail),
        (Path, "write_text", lambda: fail),
    ],
    ids=["first rename", "second rename", "weights", "folder", "text"],
)
def test_a_save_that_fails_leaves_the_older_model_whole_and_nothing_else(tmp_path, monkeypatch, where, name, fault):
    write(tmp_path / "m", 1)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fault())
        with pytest.raises(ArtifactError, match="No space left") as caught:
            write(tmp_path / "m", 2)
    assert str(tmp_path / "m") in str(caught.value)
    assert_holds(tmp_path / "m", 1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def test_a_first_save_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(artifacts, "save_file", fail)
    with pytest.raises(ArtifactError):
        write(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_a_file_is_one_artifact_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="folder"):
        write(tmp_path / "file" / "m")


def test_values_that_json_has_not_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_model(tmp_path / "m", {"task": "Toy", "scale": float("nan")}, TENSORS, "")
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_folder_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ArtifactError, match="nothing was written"):
        write(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_a_file_in_the_place_of_the_folder_is_refused_and_untouched(tmp_path):
    place = tmp_path / "m"
    place.write_text("mine")
    with pytest.raises(ArtifactError):
        refuse_foreign(place)
    assert place.read_text() == "mine"


def damage_json(folder: Path) -> None:
    (folder / MODEL).write_text((folder / MODEL).read_text()[:-20])


def damage_encoding(folder: Path) -> None:
    (folder / MODEL).write_bytes(b"\xff\xfe{}")


def nest_deeply(folder: Path) -> None:
    (folder / MODEL).write_text("[" * 100_000)


def damage_weights(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-7])


def empty_weights(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(b"")


def lose_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def rewrite(**changes):
    def change(folder: Path) -> None:
        record = json.loads((folder / MODEL).read_text())
        (folder / MODEL).write_text(json.dumps({**record, **changes}))

    return change


def no_object(folder: Path) -> None:
    (folder / MODEL).write_text("[1, 2]")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (damage_json, "damaged"),
        (damage_encoding, "damaged"),
        (nest_deeply, "damaged"),
        (damage_weights, "damaged"),
        (empty_weights, "damaged"),
        (lose_weights, "damaged"),
        (no_object, "written by unrolled"),
        (rewrite(format="something else"), "written by unrolled"),
        (rewrite(version=2), "newer unrolled"),
        (rewrite(version="1.0"), "version 1.0"),
        (rewrite(version=None), "version None"),
    ],
)
def test_a_folder_that_is_not_a_whole_model_is_one_artifact_error(tmp_path, harm, words):
    folder = write(tmp_path / "m")
    harm(folder)
    with pytest.raises(ArtifactError, match=words) as caught:
        read_model(folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_or_foreign_folder_is_one_artifact_error(tmp_path):
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(ArtifactError, match=MODEL):
            read_model(place)


def test_where_a_crash_left_the_older_model_is_said(tmp_path):
    write(tmp_path / "m").rename(tmp_path / ".m.old")
    with pytest.raises(ArtifactError, match=r"\.m\.old"):
        read_model(tmp_path / "m")
