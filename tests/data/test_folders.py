"""Folders of recordings and pictures as tables, and where a name in a table leads."""

from pathlib import Path

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.files import SUFFIXES, find_files, kind_of
from unrolled.data.formats.folders import read_folder
from unrolled.errors import DataError, OptionError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_subfolder_is_the_label_of_every_file_below_it(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.wav", "b/deep/1.FLAC", "a/3.mp3", "a/notes.txt", "README.md", ".git/4.wav", "a/.5.wav")
    table = read_folder(tmp_path)
    assert table.columns == ["file", "label"]
    assert [(record["file"], record["label"]) for record in table] == [
        (str(tmp_path / "a/3.mp3"), "a"),
        (str(tmp_path / "b/2.wav"), "b"),
        (str(tmp_path / "b/deep/1.FLAC"), "b"),
    ]


def test_a_folder_without_subfolders_has_no_label(tmp_path: Path) -> None:
    assert list(read_folder(touch(tmp_path, "2.png", "1.jpg"))) == [
        {"file": str(tmp_path / "1.jpg")},
        {"file": str(tmp_path / "2.png")},
    ]


def test_one_kind_is_read_and_several_are_asked_about(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.wav", "a/cover.png", "b/2.wav")
    with pytest.raises(DataError, match=r"received picture and sound; say kind='picture'"):
        read_folder(tmp_path)
    assert len(read_folder(tmp_path, kind="sound")) == 2
    assert len(read_folder(tmp_path, kind="picture")) == 1
    with pytest.raises(DataError, match="expected at least one film, received none"):
        read_folder(tmp_path, kind="film")
    with pytest.raises(OptionError, match="did you mean 'sound'"):
        read_folder(tmp_path, kind="sounds")


def test_files_with_and_without_a_label_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"stray\.wav; put it into the subfolder of its label"):
        read_folder(touch(tmp_path, "a/1.wav", "stray.wav"))


def test_no_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DataError, match="at least one sound, picture or film, received none"):
        read_folder(touch(tmp_path, "a/1.txt"))


def test_read_takes_a_folder_of_media_by_name_and_any_other_as_texts(tmp_path: Path) -> None:
    assert ur.read(touch(tmp_path / "voices", "a/1.wav")).columns == ["file", "label"]
    assert ur.read(touch(tmp_path / "texts", "a/1.txt")).columns == ["text"]


def test_names_in_a_table_are_looked_for_beside_it_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "data/wavs/1.wav", "wavs/2.wav")
    absolute = str(tmp_path / "wavs/2.wav")
    names = ["wavs/1.wav", "wavs/2.wav", absolute, None, "wavs/3.wav"]
    pl.DataFrame({"file": names, "text": ["wavs/1.wav said", *"abcd"]}).write_csv(tmp_path / "data/all.csv")
    monkeypatch.chdir(tmp_path)
    table = ur.read("data/all.csv")
    found = [str(tmp_path / "data/wavs/1.wav"), str(tmp_path / "wavs/2.wav"), absolute, None, "wavs/3.wav"]
    for source in (table, table.select(range(5))):
        places = [record["file"] for record in find_files(source)]
        assert [name and (str(tmp_path / name) if Path(name).exists() else name) for name in places] == found
        assert [record["text"] for record in find_files(source)] == table.frame["text"].to_list()
    assert [record["file"] for record in table] == names  # the table itself is never changed


def test_a_table_in_memory_knows_no_folder() -> None:
    source = ur.as_source([{"file": "1.wav"}])
    assert find_files(source) is source


def test_no_suffix_stands_for_two_kinds() -> None:
    suffixes = [suffix for group in SUFFIXES.values() for suffix in group]
    assert len(set(suffixes)) == len(suffixes)
    assert kind_of(None) is None
    assert kind_of(3) is None
