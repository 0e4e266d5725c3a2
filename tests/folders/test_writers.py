"""One whole model, whatever others write meanwhile and whenever a writer is killed."""

import random
import shutil
import time

import pytest

from folders.writers import Process, keep_loading, keep_saving, number_of, write
from unrolled.errors import ArtifactError
from unrolled.generations import LOCK, MODEL


def load_under_saves(folder, loads, writers, saves):
    write(folder, 0)
    saving = [Process(keep_saving, folder, 1 + number, writers, saves) for number in range(writers)]
    reading = Process(keep_loading, folder, loads)
    found = reading.end()[0]
    said = [one for process in saving for one in process.end()]
    assert [one for one in said if one[0] == "failed"] == []
    assert len([one for one in said if one[0] == "saved"]) == writers * saves
    assert [one for one in found if isinstance(one, str)] == []
    assert len(found) == loads
    assert number_of(folder) > writers * (saves - 1)  # the last of one writer
    assert len([path for path in folder.iterdir() if path.name.startswith("weights")]) == 1
    assert len(list(folder.iterdir())) == 5
    return found


def test_a_load_under_the_saves_of_two_writers_gives_one_whole_model_and_no_save_fails(tmp_path):
    load_under_saves(tmp_path / "m", loads=25, writers=2, saves=6)


@pytest.mark.slow
def test_two_hundred_loads_under_the_saves_of_three_writers_give_whole_models(tmp_path):
    found = load_under_saves(tmp_path / "m", loads=200, writers=3, saves=100)
    assert len(set(found)) > 20  # the model did change meanwhile


def kill_while_saving(folder, kills, seed):
    """A writer is killed at a random moment, again and again; afterwards there is the old model or the new one."""
    draw = random.Random(seed)
    write(folder, 0)
    first, leftovers, halves, there = 1, 0, 0, 0
    for _ in range(kills):
        process = Process(keep_saving, folder, first, 1, 1000)
        assert process.hear() == ("begins", first)
        time.sleep(draw.uniform(0, 0.06))
        said = process.kill()
        begun = max([number for what, number in said if what == "begins"], default=first)
        done = max([number for what, number in said if what == "saved"], default=there)
        there = number_of(folder)
        assert there in ([done, begun] if begun > done else [done])
        leftovers += any(path.name.endswith(".new") for path in folder.iterdir())
        halves += begun > done
        first = begun + 1
    assert halves  # some were killed in the middle of a save
    write(folder, first)  # needs no hand, and clears what was left
    assert number_of(folder) == first
    names = {path.name for path in folder.iterdir()} - {MODEL, LOCK, "README.md", "config.toml"}
    assert len(names) == 1
    assert names.pop().startswith("weights-")
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    return leftovers


def test_a_kill_at_any_moment_of_a_save_leaves_the_old_or_the_new_model(tmp_path):
    kill_while_saving(tmp_path / "m", kills=8, seed=0)


@pytest.mark.slow
def test_a_hundred_kills_leave_the_old_or_the_new_model_and_nothing_else(tmp_path):
    assert kill_while_saving(tmp_path / "m", kills=100, seed=1) > 10


def test_a_kill_of_the_first_save_leaves_a_place_that_can_be_saved_to(tmp_path):
    for seed in range(4):
        folder = tmp_path / str(seed)
        process = Process(keep_saving, folder, 1, 1, 1)
        process.hear()
        time.sleep(0.004 * seed)
        process.kill()
        if folder.exists() and not (folder / MODEL).exists():
            with pytest.raises(ArtifactError):
                number_of(folder)
        write(folder, 5)
        assert number_of(folder) == 5


def test_a_copy_made_under_saves_is_one_model_or_refused(tmp_path):
    write(tmp_path / "m", 0)
    process = Process(keep_saving, tmp_path / "m", 1, 1, 20)
    whole = 0
    for number in range(12):
        copied = tmp_path / f"copy{number}"
        try:
            shutil.copytree(tmp_path / "m", copied, ignore=shutil.ignore_patterns(".*"))
            number_of(copied)
            whole += 1
        except (ArtifactError, shutil.Error):  # a file went away while it was copied
            continue
    process.end()
    shutil.copytree(tmp_path / "m", tmp_path / "last")
    assert number_of(tmp_path / "last") == 20


def test_a_folder_that_cannot_be_written_is_loaded(tmp_path):
    write(tmp_path / "m", 3)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "m").iterdir())
    (tmp_path / "m").chmod(0o555)
    try:
        assert number_of(tmp_path / "m") == 3
    finally:
        (tmp_path / "m").chmod(0o755)
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (tmp_path / "m").iterdir()) == before
