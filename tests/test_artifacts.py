"""A model folder is written whole or not at all, and read only if it is whole."""

import json
import shutil
import stat
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unrolled import artifacts, disk, generations
from unrolled.artifacts import CARD, FORMAT, VERSION, WEIGHTS, read_model, refuse_foreign, seal, write_model
from unrolled.errors import ArtifactError
from unrolled.generations import LOCK, MODEL

RECORD = {"task": "Toy", "learnt": {"words": ["Gruß", "日本"], "scale": 0.5, "none": None}}
TENSORS = {"weight": torch.arange(6.0).reshape(2, 3), "half": torch.ones(2, dtype=torch.float16), "no": torch.zeros(0)}


def write(folder: Path, number: int = 1) -> Path:
    return write_model(folder, {**RECORD, "number": number}, {**TENSORS, "number": torch.tensor(number)}, f"# {number}")


def weights_of(folder: Path) -> Path:
    (found,) = folder.glob("weights*")
    return found


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
    names = [MODEL, weights_of(folder).name, CARD, "config.toml", LOCK]
    assert sorted(file.name for file in folder.iterdir()) == sorted(names)
    assert read_model(folder)[0]["texts"] == {CARD: "# Karte\n", "config.toml": "a = 1\n"}
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


def test_a_newer_model_replaces_an_older_one_and_leaves_only_what_a_user_put_there(tmp_path):
    write_model(tmp_path / "m", {**RECORD, "number": 1}, TENSORS, "", {"config.toml": "x"})
    (tmp_path / "m" / "notes.txt").write_text("mine")
    write(tmp_path / "m", 2)
    assert_holds(tmp_path / "m", 2)
    names = {MODEL, weights_of(tmp_path / "m").name, CARD, LOCK, "notes.txt"}
    assert {file.name for file in (tmp_path / "m").iterdir()} == names
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def test_a_model_is_saved_over_itself(tmp_path):
    write(tmp_path / "m", 2)
    write(tmp_path / "m", 2)
    assert_holds(tmp_path / "m", 2)


def test_a_card_that_a_user_edits_is_no_damage(tmp_path):
    (write(tmp_path / "m") / CARD).write_text("# Mine")
    assert read_model(tmp_path / "m")[0]["texts"][CARD] == "# 1"


def test_half_a_character_and_keys_that_are_numbers_survive(tmp_path):
    folder = write_model(tmp_path / "m", {"task": "Toy", "learnt": {2: "\ud800x", 10: "y", "1": "z"}}, {}, "\ud800")
    assert read_model(folder)[0]["learnt"] == {"2": "\ud800x", "10": "y", "1": "z"}


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "m").mkdir()
    write(tmp_path / "m", 3)
    assert_holds(tmp_path / "m", 3)


def fail(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (artifacts, "save_file"),
        (generations, "digest"),
        (generations, "flush"),
        (generations, "write_flushed"),
        (generations, "replace"),
        (disk.os, "fsync"),
        (disk.os, "replace"),
        (Path, "mkdir"),
    ],
)
def test_a_save_that_fails_leaves_the_older_model_whole_and_nothing_else(tmp_path, monkeypatch, where, name):
    write(tmp_path / "m", 1)
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(where, name, fail)
        with pytest.raises(ArtifactError, match="No space left") as caught:
            write(tmp_path / "m", 2)
    assert str(tmp_path / "m") in str(caught.value)
    assert_holds(tmp_path / "m", 1)
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before
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


def test_an_export_and_a_model_do_not_replace_each_other(tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / MODEL).write_text('{"format": "unrolled numpy model"}')
    with pytest.raises(ArtifactError, match="nothing was written"):
        refuse_foreign(tmp_path / "m")


def test_what_killed_writers_left_is_removed_by_the_next_save(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / ".weights.safetensors.0123456789ab.new").write_bytes(b"half")
    write(folder, 1)
    for name in (".model.json.0123456789ab.new", "weights-0123456789abcdef.safetensors", WEIGHTS):
        (folder / name).write_bytes(b"half")
    shutil.copytree(folder, tmp_path / ".m.old")  # of version 1, which moved whole folders
    (tmp_path / ".m.abcdefgh.new").mkdir()
    write(folder, 2)
    assert_holds(folder, 2)
    assert len(list(folder.iterdir())) == 4
    assert [entry.name for entry in tmp_path.iterdir()] == [".m.old", "m"]  # which holds other files than version 1 did
    shutil.rmtree(tmp_path / ".m.old")
    write_version_1(tmp_path / ".m.old")
    write(folder, 3)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def write_version_1(folder: Path) -> Path:
    folder.mkdir()
    (folder / MODEL).write_text(json.dumps({"format": FORMAT, "version": 1, **RECORD, "number": 1}))
    save_file({**TENSORS, "number": torch.tensor(1)}, folder / WEIGHTS)
    (folder / CARD).write_text("# 1")
    return folder


def test_a_folder_of_version_1_is_read_and_replaced(tmp_path):
    assert_holds(write_version_1(tmp_path / "m"), 1)
    write(tmp_path / "m", 2)
    assert_holds(tmp_path / "m", 2)
    assert not (tmp_path / "m" / WEIGHTS).exists()


def test_what_version_1_left_when_it_was_killed_between_its_renames_is_read(tmp_path):
    write_version_1(tmp_path / ".m.old")
    assert read_model(tmp_path / "m")[0]["number"] == 1
    write(tmp_path / "m", 2)
    assert_holds(tmp_path / "m", 2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m"]


def damage_json(folder: Path) -> None:
    (folder / MODEL).write_text((folder / MODEL).read_text()[:-20])


def damage_encoding(folder: Path) -> None:
    (folder / MODEL).write_bytes(b"\xff\xfe{}")


def nest_deeply(folder: Path) -> None:
    (folder / MODEL).write_text("[" * 100_000)


def damage_weights(folder: Path) -> None:
    weights_of(folder).write_bytes(weights_of(folder).read_bytes()[:-7])


def empty_weights(folder: Path) -> None:
    weights_of(folder).write_bytes(b"")


def lose_weights(folder: Path) -> None:
    weights_of(folder).unlink()


def rewrite(**changes):
    def change(folder: Path) -> None:
        record = json.loads((folder / MODEL).read_text())
        (folder / MODEL).write_text(json.dumps({**record, **changes}))

    return change


def no_digest(folder: Path) -> None:
    record = json.loads((folder / MODEL).read_text())
    del record["sha256"]
    (folder / MODEL).write_text(json.dumps({**record, "version": 1}))


def weights_elsewhere(folder: Path) -> None:
    name = weights_of(folder).rename(folder.parent / weights_of(folder).name).name
    record = json.loads((folder / MODEL).read_text())
    files = {f"../{name}": record["files"][name]}
    (folder / MODEL).write_text(json.dumps(seal({**record, "files": files})))


def weights_that_are_a_folder(folder: Path) -> None:
    path = weights_of(folder)
    path.unlink()
    path.mkdir()


def flip(folder: Path) -> None:
    data = bytearray(weights_of(folder).read_bytes())
    data[-1] ^= 1
    weights_of(folder).write_bytes(data)


def no_number(folder: Path) -> None:
    record = json.loads((folder / MODEL).read_text())
    (folder / MODEL).write_text(json.dumps(seal({**record, "number": float("nan")})))


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
        (lose_weights, "is missing"),
        (flip, "not what its digest says"),
        (no_digest, "not what its digest says"),
        (weights_elsewhere, "names no weights"),
        (weights_that_are_a_folder, "is missing"),
        (no_number, "NaN is no number"),
        (rewrite(number=2), "not what its digest says"),
        (rewrite(files={}), "not what its digest says"),
        (no_object, "written by unrolled"),
        (rewrite(format="something else"), "written by unrolled"),
        (rewrite(version=VERSION + 1), "newer unrolled"),
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
