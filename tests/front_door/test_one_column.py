"""Where one column is named, a list of several is refused with how to join them: in every reader, task and codec."""

import inspect
import sqlite3
from typing import get_args, get_origin

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.source import Table
from unrolled.data.sql import read_sql
from unrolled.errors import DataError, InputError, OptionError
from unrolled.forms import annotations_of
from unrolled.tasks.registry import TASKS
from unrolled.tasks.shared.option_checks import COLUMNS, check_options

ROWS = pl.DataFrame({"s": ["a", "b"], "z": ["c", "d"], "t": [1, 2], "y": [1.0, 2.0]})
SEVERAL = ["s", "z"]
SAID = r": expected the name of one column, received \['s', 'z'\]; .*join them first.*pl.concat_str\(\['s', 'z'\]"
# options that are texts and name no column
OTHERS = {"cell", "pooling", "answer", "unit", "output", "attention", "strategy", "target_kind", "intervals", "loss"}


@pytest.mark.parametrize("option", ["time", "group"])
def test_every_reader_of_tables_takes_one_column_of_times_and_one_of_groups(option, tmp_path):
    for suffix, write in (("csv", ROWS.write_csv), ("jsonl", ROWS.write_ndjson), ("json", ROWS.write_json),
                          ("parquet", ROWS.write_parquet), ("arrow", ROWS.write_ipc)):  # fmt: skip
        write(tmp_path / f"a.{suffix}")
        for read in (ur.read, getattr(ur, f"read_{suffix}")):
            with pytest.raises(OptionError, match=f"^{option}{SAID}"):
                read(tmp_path / f"a.{suffix}", **{option: SEVERAL})
    connection = sqlite3.connect(":memory:")
    connection.execute("create table data as select 1 as s, 2 as z")
    for ask in (
        lambda: Table(ROWS, **{option: SEVERAL}),
        lambda: ur.as_source(ROWS.to_dicts(), **{option: SEVERAL}),
        lambda: read_sql("select * from data", connection, **{option: SEVERAL}),
    ):
        with pytest.raises(OptionError, match=f"^{option}{SAID}"):
            ask()
    connection.close()


@pytest.mark.parametrize("option", ["stratify", "group"])
def test_a_split_takes_one_column(option):
    with pytest.raises(DataError, match=SAID):
        ur.as_source(ROWS).split(**{option: SEVERAL})


def named_columns(task):
    for name, form in annotations_of(task).items():
        kinds = get_args(form) or (form,)
        if name in inspect.signature(task).parameters and str in kinds and not any(map(get_origin, kinds)):
            yield name


@pytest.mark.parametrize("name", TASKS)
def test_every_option_of_a_task_that_is_a_text_names_a_column_or_is_known_to_name_none(name):
    task = getattr(ur, name)
    for option in named_columns(task):
        assert (option in COLUMNS) != (option in OTHERS), option
        if option in COLUMNS:
            with pytest.raises(OptionError, match=f"^{option}{SAID}"):
                check_options(task(**{**required(task), option: SEVERAL}))


def required(task):
    return {
        name: "s"
        for name, one in inspect.signature(task).parameters.items()
        if one.default is inspect.Parameter.empty and one.kind is not inspect.Parameter.VAR_KEYWORD
    }


@pytest.mark.parametrize(
    "codec", [lambda: ur.Words(SEVERAL), lambda: ur.Categories(SEVERAL), lambda: ur.Numbers("y", group=SEVERAL)]
)
def test_a_codec_of_one_column_takes_one(codec):
    with pytest.raises(InputError, match=SAID):
        ur.Classifier([codec()], "z").fit(ROWS, epochs=1, progress=False)
