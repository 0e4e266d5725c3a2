"""A model answers the same for the same rows, whatever format they come in: for every task."""

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import unrolled as ur
from folders.tiny_tasks import MAKERS, tiny
from serving.toys import client_of
from unrolled.cli.predict import answers
from unrolled.cli.reading import read_data, reading_of
from unrolled.data.source import Table, as_table
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings

ROWS = 6  # records; series and logs are asked whole


def written(value: Any) -> Any:
    """Return a value as JSON holds it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.isoformat() if isinstance(value, dt.date) else value


def in_a_cell(value: Any) -> Any:
    """Return a value as a table of text holds it: lists as JSON."""
    plain = written(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list) else plain


def rounded(found: Any) -> Any:
    """Return answers as plain values, whose numbers have six digits."""
    if isinstance(found, pl.DataFrame):
        return rounded(found.to_dicts())
    if isinstance(found, dict):
        return {name: rounded(value) for name, value in found.items()}
    if isinstance(found, list | tuple | np.ndarray):
        return [rounded(value) for value in found]
    if isinstance(found, float | np.floating):
        return float(f"{found:.6g}")
    if isinstance(found, dt.date):
        return str(found).removesuffix(" 00:00:00")
    return found.item() if isinstance(found, np.generic) else found


class Asked:
    """A model, and the same rows in every format."""

    def __init__(self, name: str, folder: Any) -> None:
        self.model, data, _ = tiny(name)
        said = self.model.describe()
        table = data.frame if isinstance(data, Table) else data
        records = table[:ROWS] if isinstance(table, list) else table.to_dicts()
        names = [column.name for column in said.columns]
        records = [{key: row[key] for key in names} for row in records]
        self.records = [
            {key: v.tolist() if isinstance(v, np.ndarray) else v for key, v in row.items()} for row in records
        ]
        self.plain = [{key: written(value) for key, value in row.items()} for row in records]
        self.frame = pl.DataFrame(self.records, infer_schema_length=None)
        self.cells = pl.DataFrame([{key: in_a_cell(value) for key, value in row.items()} for row in records])
        self.folder = folder
        self.cells.write_csv(folder / "a.csv")
        self.cells.write_csv(folder / "a.tsv", separator="\t", quote_style="never")
        self.cells.to_pandas().to_csv(folder / "pandas.csv", index=False)
        (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in self.plain))
        (folder / "a.json").write_text(json.dumps(self.plain))
        self.frame.write_parquet(folder / "a.parquet")
        self.frame.write_ipc(folder / "a.arrow")

    def ways(self) -> dict[str, Any]:
        frame, folder = self.frame, self.folder
        return {
            "a generator": (row for row in self.records),
            "JSON's values": self.plain,
            "columns": {name: [row[name] for row in self.records] for name in self.records[0]},
            "pandas": pd.DataFrame(self.records),
            "polars, lazily": frame.lazy(),
            "Arrow": frame.to_arrow(),
            "pandas.read_csv": pd.read_csv(folder / "pandas.csv"),
            "polars.read_csv": pl.read_csv(folder / "a.csv"),
            "a lazy file of polars": pl.scan_parquet(folder / "a.parquet"),
            "a lazy file": ur.scan_parquet(folder / "a.parquet"),
            "two files": ur.read([folder / "a.csv"]),
            **{file.name: ur.read(file) for file in sorted(folder.iterdir())},
        }


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
@pytest.mark.parametrize("name", MAKERS)
def test_the_same_rows_in_any_format_have_the_same_answers(name, tmp_path):
    asked = Asked(name, tmp_path)
    model = asked.model
    want = rounded(model.predict(asked.records))
    for way, given in asked.ways().items():
        assert rounded(model.predict(given)) == want, way
    for file in ("a.csv", "a.tsv", "a.jsonl", "a.json", "a.parquet", "a.arrow"):
        shown = answers(model, read_data(str(tmp_path / file), **reading_of(model)), False, {})
        found = shown if isinstance(model.predict(asked.records), pl.DataFrame) else shown["prediction"].to_list()
        assert rounded(found) == want, f"command line, {file}"
    with client_of(Service(Settings("m", timeout=60), model)) as client:
        sent = client.post("/v1/predict", json={"records": asked.plain})
        table = client.post(
            "/v1/predict/csv", content=(tmp_path / "a.csv").read_bytes(), headers={"content-type": "text/csv"}
        )
    for answer in (sent, table):
        assert answer.status_code == 200, answer.text
        assert rounded(answer.json()["predictions"]) == json.loads(json.dumps(want))


def test_the_frames_of_one_table_are_equal_in_every_format(tmp_path):
    asked = Asked("Classifier", tmp_path)
    want = asked.frame.rows()
    for way, given in asked.ways().items():
        if way not in ("pandas.read_csv", "polars.read_csv"):  # whose cells hold lists as texts
            assert as_table(ur.as_source(given)).frame.select(asked.frame.columns).rows() == want, way
