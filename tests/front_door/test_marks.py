"""Marks of missing values hold for every task and every way in, are learnt with the model, and are no values."""

import functools
import json
import sqlite3

import polars as pl
import pytest

import unrolled as ur
from folders.tiny_tasks import MAKERS as TINY
from front_door.marked_tasks import FAST, MAKERS, MARKS, answer, fitted, marked
from unrolled.data.readers import as_source, read_csv, read_jsonl, read_parquet
from unrolled.data.sql import read_sql
from unrolled.errors import OptionError

NESTED = [name for name in MAKERS if name.partition(",")[0] in ("Tagger", "SequenceModel", "Captioner")]
NESTED += ["Classifier, steps"]  # whose columns no cell of a table of text holds
OF_TEXTS = ("Classifier, characters", "Translator", "Captioner", "Detector, events")  # where NA is a text
every = pytest.mark.parametrize("name", MAKERS)
unknown_on_purpose = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")


def test_every_task_is_here():
    assert not set(TINY) - set(MAKERS)


def cells(records):
    """A table of text: lists are left out."""
    plain = [{key: one for key, one in record.items() if not isinstance(one, list)} for record in records]
    return pl.DataFrame(plain, strict=False, infer_schema_length=None)


def database(records):
    """An open connection with the records in a table whose cells have any kind."""
    names = [name for name in records[0] if not isinstance(records[0][name], list)]
    connection = sqlite3.connect(":memory:")
    connection.execute(f"create table data ({', '.join(names)})")
    rows = [[one[name] if isinstance(one[name], str | int | float | None) else str(one[name]) for name in names]
            for one in records]  # fmt: skip
    connection.executemany(f"insert into data values ({', '.join('?' * len(names))})", rows)
    return connection


@unknown_on_purpose
@every
def test_a_model_learns_the_same_from_marks_as_from_missing_values(name):
    make, data, options = MAKERS[name]
    plain = make().fit(as_source(data(), **options), **FAST)
    asked = as_source(data(), **options)
    assert answer(name, fitted(name), asked) == answer(name, plain, asked)


@unknown_on_purpose
@pytest.mark.parametrize("mark", [-9999, -9999.0, "-9999", "absent", " absent "])
@every
def test_a_model_answers_marks_as_missing_values_in_every_table(name, mark, tmp_path):
    _, data, options = MAKERS[name]
    model, records = fitted(name), data()
    want = answer(name, model, as_source(records, **options))
    given = marked(records, mark)
    ways = [as_source(given, **options)]
    lines = tmp_path / "a.jsonl"
    lines.write_text("\n".join(json.dumps(one, default=str) for one in given), encoding="utf-8")
    ways += [read_jsonl(lines, **options), read_jsonl(lines, missing=MARKS, **options)]
    pl.DataFrame(given, strict=False, infer_schema_length=None).write_parquet(tmp_path / "a.parquet")
    ways += [read_parquet(tmp_path / "a.parquet", missing=m, **options) for m in (None, MARKS)]
    if name not in NESTED:
        cells(given).write_csv(tmp_path / "a.csv")
        ways += [read_csv(tmp_path / "a.csv", **options), read_csv(tmp_path / "a.csv", missing=MARKS, **options)]
        connection = database(given)
        ways += [read_sql("select * from data", connection, missing=m, **options) for m in (None, MARKS)]
        connection.close()
    for place, way in enumerate(ways):
        assert answer(name, model, way) == want, place


@every
def test_marks_are_kept_with_the_model_and_shown(name, tmp_path):
    model = ur.load(fitted(name).save(tmp_path / "model"))
    assert model.schema_.given_marks == ("-9999", "absent")
    assert "-9999, absent" in str(model.schema_)
    assert "-9999, absent" in model.describe().reading["missing values"]
    assert "-9999, absent" in (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


@unknown_on_purpose
@pytest.mark.parametrize("mark", ["NA", "n/a", "-", "", None, float("nan")])
@pytest.mark.parametrize("name", [name for name in MAKERS if name not in OF_TEXTS])
def test_the_usual_marks_are_missing_in_columns_of_numbers(name, mark):
    _, data, options = MAKERS[name]
    model = _usual(name)
    want = answer(name, model, as_source(data(), **options))
    assert answer(name, model, as_source(marked(data(), mark), **options)) == want


@functools.cache
def _usual(name):
    make, data, options = MAKERS[name]
    return make().fit(as_source(marked(data(), "NA"), **options), **FAST)


@pytest.mark.parametrize("read", ["read", "read_jsonl", "read_json", "read_parquet", "read_arrow", "read_csv"])
def test_every_reader_of_tables_takes_marks_and_keeps_them(read, tmp_path):
    table = pl.DataFrame({"day": ["2024-01-01", "2024-01-02"], "a": ["1.5", "-9999"], "b": ["absent", "x"]})
    suffix, write = {
        "read": (".npz", None), "read_jsonl": (".jsonl", table.write_ndjson), "read_json": (".json", table.write_json),
        "read_parquet": (".parquet", table.write_parquet), "read_arrow": (".arrow", table.write_ipc),
        "read_csv": (".csv", table.write_csv),
    }[read]  # fmt: skip
    if write is None:
        import numpy as np

        np.savez(tmp_path / "a.npz", a=np.array([1.5, -9999.0]))
        assert list(ur.read(tmp_path / "a.npz", missing=[-9999])) == [{"a": 1.5}, {"a": None}]
        return
    write(tmp_path / f"a{suffix}")
    for found in (getattr(ur, read)(tmp_path / f"a{suffix}", missing=MARKS),
                  ur.read(tmp_path / f"a{suffix}", time="day", missing=MARKS)):  # fmt: skip
        assert found.frame.select("a", "b").rows() == [(1.5, None), (None, "x")]
        assert found.marks == ("-9999", "absent")


def test_marks_that_are_no_list_are_refused():
    for missing in ("NA", 3, [None], [["NA"]]):
        with pytest.raises(OptionError, match="missing"):
            as_source([{"a": 1}], missing=missing)
