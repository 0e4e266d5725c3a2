"""The captioner on the command line: fit, predict, evaluate, and one picture answered; bad files named in words."""

import json
from pathlib import Path

import numpy as np
import pytest

from unrolled.cli.main import make_app
from unrolled.errors import DataError, OptionError
from unrolled.tasks.registry import load

image = pytest.importorskip("PIL.Image")

COLOURS = {"red": (220, 30, 30), "blue": (40, 40, 230)}


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


def fit(folder: Path, table: str, out: Path, *further: object) -> None:
    call("fit", "caption", folder / table, "--image-dir", folder / "pictures", "--image-size", "8",
         "--hidden-size", "16", "--dropout", "0", "--epochs", "12", "--learning-rate", "0.01",
         "--out", out, *further)  # fmt: skip


def write_table(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("picture,caption\n" + "".join(f"{file},{text}\n" for file, text in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, their table, and a model."""
    place = tmp_path_factory.mktemp("captioning")
    (place / "pictures").mkdir()
    draw, rows = np.random.default_rng(0), []
    for number in range(40):
        name = ("red", "blue")[number % 2]
        pixels = np.clip(np.array(COLOURS[name]) + draw.integers(-20, 20, (12, 12, 3)), 0, 255).astype(np.uint8)
        image.fromarray(pixels).save(place / "pictures" / f"{number}.png")
        rows.append((f"{number}.png", f"a {name} sheet"))
    write_table(place / "all.csv", rows)
    fit(place, "all.csv", place / "m")
    return place


def test_captions_stand_beside_their_files_and_are_scored_beside_the_nearest_picture(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("predict", folder / "m", folder / "all.csv")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"picture": "0.png", "caption": "a red sheet", "prediction": "a red sheet"}
    assert rows[1]["prediction"] == "a blue sheet"
    call("evaluate", folder / "m", folder / "all.csv")
    said = capsys.readouterr().out
    assert "caption of the most similar picture" in said
    assert "cider_d" in said


def test_one_picture_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("generate", folder / "m", "--prompt", "1.png")
    assert capsys.readouterr().out == "a blue sheet\n"
    call("generate", folder / "m", "--prompt", folder / "pictures" / "0.png", "--count", "2")
    first, second = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert first[1] == "a red sheet"
    assert float(first[0]) > float(second[0])


def test_the_saved_config_repeats_the_run(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("fit", "caption", "--config", folder / "m" / "config.toml", "--out", tmp_path / "again")
    capsys.readouterr()
    rows = [{"picture": "0.png"}, {"picture": "1.png"}]
    once, again = load(folder / "m"), load(tmp_path / "again")
    assert once.reader_.size == again.reader_.size == 8
    assert once.predict(rows) == again.predict(rows)


def test_sizes_that_make_no_sense_are_refused(folder: Path, tmp_path: Path) -> None:
    for size in ("big", "0"):
        with pytest.raises(OptionError, match="size: expected an integer"):
            fit(folder, "all.csv", tmp_path / "m", "--image-size", size)
    with pytest.raises(OptionError, match="--image or --video"):
        call("fit", "classify", folder / "all.csv", "--label", "caption", "--text", "picture", "--image-size", "8",
             "--out", tmp_path / "m")  # fmt: skip


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"record 40.*bad\.png, which does not exist"),
        (b"no picture at all", r"record 40.*Pillow can read.*bad\.png"),
        (b"", r"record 40.*Pillow can read.*bad\.png"),
    ],
    ids=["missing", "text", "empty"],
)
def test_a_bad_file_is_named_with_its_record(folder: Path, tmp_path: Path, content: bytes | None, said: str) -> None:
    place = tmp_path / "pictures"
    place.mkdir()
    for file in (folder / "pictures").iterdir():
        (place / file.name).write_bytes(file.read_bytes())
    if content is not None:
        (place / "bad.png").write_bytes(content)
    table = (folder / "all.csv").read_text(encoding="utf-8")
    (tmp_path / "all.csv").write_text(table + "bad.png,a torn sheet\n", encoding="utf-8")
    with pytest.raises(DataError, match=said):
        fit(tmp_path, "all.csv", tmp_path / "m")
    with pytest.raises(DataError, match=r"bad\.png"):
        call("generate", folder / "m", "--prompt", place / "bad.png")


def test_a_picture_without_a_caption_is_learnt_as_saying_nothing_or_refused(folder: Path, tmp_path: Path) -> None:
    write_table(tmp_path / "none.csv", [(f"{number}.png", "") for number in range(40)])
    (tmp_path / "pictures").symlink_to(folder / "pictures")
    with pytest.raises(DataError, match="caption"):
        fit(tmp_path, "none.csv", tmp_path / "m")
