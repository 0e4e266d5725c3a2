"""Tables that pack much into little are refused by what they describe, before anything is unpacked."""

import io
from contextlib import suppress
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import unrolled as ur
from unrolled.data import width
from unrolled.data.formats.arrow_size import check_arrow
from unrolled.data.formats.parquet_size import check_parquet
from unrolled.data.formats.thrift import ThriftReader
from unrolled.data.source import Table
from unrolled.errors import DataError

ROWS = 20_000  # of 8 bytes: more than the bound of these tests
BOUND = 100_000  # bytes
FRAMES = {
    "one number over and over": pl.DataFrame({"x": np.zeros(ROWS)}),
    "nothing but nulls": pl.DataFrame({"x": pl.Series([None] * ROWS)}),
    "one text over and over": pl.DataFrame({"x": ["to be"] * ROWS}),
    "lists of nothing": pl.DataFrame({"x": [[0] * 100] * (ROWS // 100)}),
    "a long text": pl.DataFrame({"x": ["a" * BOUND * 2]}),
}
WRITERS = {
    "parquet": lambda frame, file: frame.write_parquet(file, compression="zstd"),
    "parquet in small pages": lambda frame, file: frame.write_parquet(file, data_page_size=100, row_group_size=3000),
    "arrow": lambda frame, file: frame.write_ipc(file, compression="zstd"),
    "arrow as a stream": lambda frame, file: frame.write_ipc_stream(file, compression="lz4"),
}


def written(how: str, frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    WRITERS[how](frame, file)
    return file.getvalue()


def read(how: str, raw: bytes | Path) -> Table:
    return ur.read_parquet(raw) if how.startswith("parquet") else ur.read_arrow(raw)


@pytest.mark.parametrize("how", WRITERS)
@pytest.mark.parametrize("kind", FRAMES)
def test_what_unpacks_to_more_than_the_bound_is_refused_and_the_variable_allows_it(
    how: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = written(how, FRAMES[kind])
    monkeypatch.setenv("UNROLLED_UNPACKED_BYTES", str(BOUND))
    with pytest.raises(DataError, match=r"at most 100,000 bytes when it is unpacked .* UNROLLED_UNPACKED_BYTES"):
        read(how, raw)
    monkeypatch.delenv("UNROLLED_UNPACKED_BYTES")
    assert len(read(how, raw)) == FRAMES[kind].height


def test_a_lazy_table_is_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FRAMES["one number over and over"].write_parquet(tmp_path / "a.parquet")
    monkeypatch.setenv("UNROLLED_UNPACKED_BYTES", str(BOUND))
    with pytest.raises(DataError, match="at most 100,000 bytes"):
        ur.scan_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("how", WRITERS)
def test_a_damaged_description_is_one_sentence(how: str, tmp_path: Path) -> None:
    raw = bytearray(written(how, pl.DataFrame({"x": [1, 2], "y": ["a", None]})))
    check = check_parquet if how.startswith("parquet") else check_arrow
    place = tmp_path / "a"
    draw = np.random.default_rng(0)
    for cut in (*draw.integers(1, len(raw), 40), len(raw)):
        changed = raw[:cut]
        for at in draw.integers(0, cut, 3):
            changed[at] = draw.integers(0, 256)
        place.write_bytes(changed)
        with suppress(DataError):
            check(place)


def test_a_number_or_a_list_without_an_end_is_refused() -> None:
    for raw in (b"\x15" + b"\xff" * 20, b"\x19\xfc\xff\xff\xff\xff\x0f", b"\x1c" * 100, b"\x15", b"\x1d\x00"):
        with pytest.raises((ValueError, IndexError)):
            ThriftReader(raw, 0).structure()


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "arrow"])
def test_tables_of_more_columns_than_the_bound_are_refused(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(width, "MOST_COLUMNS", 20)
    for columns in (20, 21):
        frame = pl.DataFrame({f"gene{place}": [0.5, 1.5] for place in range(columns)})
        raw = io.BytesIO()
        if form in WRITERS:
            WRITERS[form](frame, raw)
        else:
            frame.write_csv(raw, separator="," if form == "csv" else "\t")
        reader = {"csv": ur.read_csv, "tsv": ur.read_tsv, "parquet": ur.read_parquet, "arrow": ur.read_arrow}[form]
        if columns == 20:
            assert len(reader(raw.getvalue()).columns) == 20
        else:
            with pytest.raises(DataError, match="at most 20 columns, received 21; swap rows and columns"):
                reader(raw.getvalue())
