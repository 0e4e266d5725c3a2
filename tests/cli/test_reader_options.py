"""Every option of a reader in Python is one of the command line, and the model remembers it."""

import inspect
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.main import get_command

from unrolled.cli.fit import KINDS
from unrolled.cli.formats import FORMATS, LEFT_OUT, SINGLE, options_of, reader_options, readers
from unrolled.cli.main import make_app
from unrolled.cli.reading import read_data
from unrolled.data import readers as tables
from unrolled.data.formats.registry import FORMATS as SINGLE_FORMATS
from unrolled.data.time_words import TimeWords
from unrolled.errors import OptionError
from unrolled.tasks.registry import load

ONE_PLACE = [
    tables.read_csv, tables.read_tsv, tables.read_jsonl, tables.read_parquet, tables.read_text, tables.read_folder,
    *(form.read for form in SINGLE_FORMATS.values()),
]  # fmt: skip


def test_every_format_has_a_reader_and_every_reader_a_format() -> None:
    assert {*readers(), "auto"} == set(FORMATS)
    assert set(readers().values()) == set(ONE_PLACE)
    assert set(SINGLE) == set(SINGLE_FORMATS)


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "auto"])
def test_the_options_of_a_format_are_those_of_its_reader(form: str) -> None:
    reader = readers()[form]
    (_, *named) = inspect.signature(reader).parameters.values()
    want = {one.name for one in named if one.kind is not one.VAR_KEYWORD}
    if len(want) < len(named):
        want |= set(TimeWords.__annotations__) - set(LEFT_OUT)
    found = options_of(reader)
    assert set(found) == want
    assert all(option.text for option in found.values()), form


def flags_of(*words: str) -> set[str]:
    command = get_command(make_app(list(words)))
    for word in words:
        command = command.commands[word]
    return {flag for one in command.params for flag in one.opts}


COMMANDS = [*(("fit", kind) for kind in KINDS), ("predict",), ("evaluate",), ("check",), ("inspect",)]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_that_reads_data_has_the_options_of_all_readers(words: tuple[str, ...]) -> None:
    assert flags_of(*words) >= {"--format", *(option.flag for option in reader_options().values())}


def run(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


def test_an_option_that_a_format_does_not_have_is_refused_with_those_that_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OptionError, match="--sheet: expected one of the formats excel, received the format csv"):
        read_data(str(tmp_path / "a.csv"), sheet="May")
    with pytest.raises(OptionError, match="--offset: expected an integer, received 'x'"):
        run("fit", "classify", tmp_path / "a.csv", "--offset", "x", "--label", "b", "--out", tmp_path / "m")


def test_a_chosen_array_is_remembered_and_another_one_can_be_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(0)
    x, y = draw.random((40, 5)), np.array(["a", "b"] * 20)
    np.savez(tmp_path / "a.npz", x=x, y=y, x_test=x[:7], other=np.arange(3))
    fit = ("fit", "classify", tmp_path / "a.npz", "--label", "y", "--arrays", "x,y", "--epochs", 1, "--hidden-size", 4)
    run(*fit, "--out", tmp_path / "model")
    model = load(tmp_path / "model")
    assert model.reading_ == {"form": "auto", "arrays": ["x", "y"]}
    assert 'arrays = "x,y"' in model.config_
    capsys.readouterr()
    run("predict", tmp_path / "model", tmp_path / "a.npz", "--out", tmp_path / "a.jsonl")
    assert pl.read_ndjson(tmp_path / "a.jsonl").height == 40
    np.savez(tmp_path / "b.npz", x=x[:7], more=np.arange(3))
    run("predict", tmp_path / "model", tmp_path / "b.npz", "--arrays", "x", "--out", tmp_path / "b.jsonl")
    assert pl.read_ndjson(tmp_path / "b.jsonl").height == 7


def test_what_was_remembered_of_one_format_does_not_disturb_another(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1,5;x\n")
    pl.DataFrame({"a": [1.5], "b": ["x"]}).write_ndjson(tmp_path / "a.jsonl")
    remembered = {"separator": ";", "decimal": ","}
    for name in ("a.csv", "a.jsonl"):
        assert list(read_data(str(tmp_path / name), remembered=remembered)) == [{"a": 1.5, "b": "x"}]
    (tmp_path / "b.csv").write_text("a,b\n1.5,x\n")
    given = {"separator": ",", "decimal": "."}
    assert list(read_data(str(tmp_path / "b.csv"), remembered=remembered, **given)) == [{"a": 1.5, "b": "x"}]
