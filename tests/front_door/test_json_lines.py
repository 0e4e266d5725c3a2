"""JSON lines that polars reads at once give the same table as the exact reader, or are left to it."""

import json
import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from unrolled.data.formats import json_lines
from unrolled.data.formats.json_lines import parse_json_lines, read_at_once, records_of
from unrolled.data.in_memory import frame_of
from unrolled.data.readers import read_jsonl
from unrolled.errors import DataError

NAMES = ["a", "b", "é", 'say "c"', "with \\"]


class Written:
    """A piece of JSON as it stands in the file."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"Written({self.text})"


def written(value, ascii_only, blank):
    """Return a value as JSON; objects are lists of pairs, so that a key may occur twice."""
    if isinstance(value, Written):
        return value.text
    if isinstance(value, tuple):
        pairs = [f"{json.dumps(k, ensure_ascii=ascii_only)}:{blank}{written(v, ascii_only, blank)}" for k, v in value]
        return "{" + f",{blank}".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + f",{blank}".join(written(one, ascii_only, blank) for one in value) + "]"
    return json.dumps(value, ensure_ascii=ascii_only)


ODD_TEXTS = st.sampled_from(["", "NA", "007", '"', "\\", '\\"', "[", '["x"]', "{}", "null", "\u2028", "😀"])
TEXTS = st.one_of(ODD_TEXTS, st.text(max_size=4))
WHOLE = st.one_of(st.integers(-3, 3), st.integers(-(2**63), 2**63 - 1))
DECIMALS = st.floats(allow_nan=False, allow_infinity=False)
ODD = st.sampled_from(
    [Written(text) for text in ("NaN", "1e400", "-0", "-0.0", "1E2", str(2**63), str(2**70), str(10**45), "01", "[1",
                                '"\\ud83d"', '"\\ud83d\\ude00"', '"\\\\ud83d\\ude00"', '"\\u0061"', '"\\x"', '"a" ')]
)  # fmt: skip
ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), WHOLE, DECIMALS, TEXTS, ODD),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=3).map(tuple)
    ),
    max_leaves=5,
)


def of_one_kind(depth=0):
    """Return a strategy of strategies: each draws values of one kind."""
    single = st.sampled_from([st.booleans(), WHOLE, DECIMALS, TEXTS, st.one_of(WHOLE, DECIMALS)])
    if depth > 1:
        return single
    inner = st.deferred(lambda: of_one_kind(depth + 1))
    lists = inner.map(lambda one: st.lists(st.one_of(one, st.none()), max_size=3))
    objects = st.dictionaries(st.sampled_from(NAMES), inner, min_size=1, max_size=2).map(fixed)
    return st.one_of(single, single, lists, objects)


def fixed(kinds):
    """Return a strategy of objects with the given kinds of values."""
    return st.fixed_dictionaries(kinds).map(lambda one: tuple(one.items()))


@st.composite
def files(draw):
    """Return JSON lines that mostly have one kind in each column, and the odd value, key or line that does not fit."""
    kinds = draw(st.dictionaries(st.sampled_from(NAMES), of_one_kind(), min_size=1, max_size=3))
    rare = draw(st.sampled_from([0, 0, 0.05, 0.3]))
    values = {name: st.one_of(kind, st.none()) if draw(st.booleans()) else kind for name, kind in kinds.items()}
    random = draw(st.randoms(use_true_random=False))
    rows = draw(st.lists(fixed(values), min_size=1, max_size=12))
    for row in range(len(rows)):
        if random.random() < rare:
            name = random.choice(NAMES)
            odd = (name, draw(ANY))
            rows[row] = random.choice([
                (*rows[row], odd), (odd, *rows[row]), tuple(pair for pair in rows[row] if pair[0] != name),
                tuple(odd if pair[0] == name else pair for pair in rows[row]), draw(ANY), rows[row][::-1],
                tuple((key, (*value, odd) if isinstance(value, tuple) else value) for key, value in rows[row]),
                Written(random.choice(["", " ", "null", "[1]", "{", "{}{}", "x", "\x0b"]))])  # fmt: skip
    ascii_only, blank = draw(st.booleans()), draw(st.sampled_from(["", " "]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n"]))
    text = end.join(written(row, ascii_only, blank) for row in rows) + draw(st.sampled_from([end, ""]))
    raw = text.encode(errors="surrogatepass")
    return raw[: len(raw) - draw(st.sampled_from([0, 0, 0, 1, 3]))]


def exactly(raw):
    return frame_of(list(records_of(raw.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n"), "a.jsonl")))


@settings(max_examples=60, deadline=None)
@given(files(), st.sampled_from([4, 64]))
def test_a_table_read_at_once_is_that_of_the_exact_reader(raw, stretch):
    found = read_at_once(raw, stretch)
    if found is not None:
        assert_frame_equal(found, exactly(raw), check_exact=True)


def lines(*records, **how):
    return "".join(json.dumps(record, **how) + "\n" for record in records).encode()


AT_ONCE = {
    "numbers, texts and lists": lines({"v": [1, 0.5], "t": "a", "y": 1}, {"v": [], "t": "b", "y": 2}),
    "missing values in each column": lines({"a": 1, "b": None}, {"a": None, "b": "x"}, {"a": 2, "b": None}),
    "records that lack keys": lines({"a": 1, "b": "x"}, {"b": "y"}, {}),
    "objects with missing values": lines({"a": {"x": 1, "y": None}, "b": 1}, {"a": {"x": None, "y": "z"}, "b": None}),
    "lists of objects": lines({"a": [{"x": 1}, {"x": 2}]}, {"a": []}, {"a": [{"x": 3}]}),
    "escapes": lines({"a": 'say "é"\\ \n 😀'}, {"a": "\\"}),
    "no blanks": lines({"a": 1, "b": ["x"]}, {"a": 2, "b": []}, separators=(",", ":")),
    "letters as they are": lines({"é": "[ü]"}, {"é": "{"}, ensure_ascii=False),
    "Windows' line ends and empty lines": b'{"a": 1}\r\n\r\n{"a": 2}\r\n',
    "a last line without an end": b'{"a": 1}\n{"a": 2}',
}
LEFT = {
    "a number among texts": lines({"a": "x"}, {"a": 1}),
    "a list among texts": lines({"a": "x"}, {"a": "y"}) + b'{"a": ["z"]}\n',
    "a list and an object among texts": lines({"a": "x"}, {"a": ["y", "z"]}, {"a": {}}),
    "an object with the keys of its record": lines({"a": ["x"]}, {"a": [{"a": "y"}]}),
    "a key that comes later": lines(*[{"a": 1}] * 20, {"a": 2, "b": None}),
    "a field that comes later": lines(*[{"a": {"x": 1}}] * 20, {"a": {"x": None, "y": None}}),
    "a field beside its object": lines({"a": {"x": 1, "y": None}, "y": 1}, {"a": {"x": 1}, "y": None, "b": None}),
    "a key twice": b'{"a": 1, "a": 2}\n{"a": 3}\n',
    "a key twice, once without value": lines(*[{"a": 1, "b": 2}] * 9) + b'{"a": 1, "a": null}\n',
    "decimals that come later": lines(*[{"a": [1]}] * 20, {"a": [0.5]}),
    "values in lists that were empty before": lines(*[{"a": []}] * 20, {"a": [True]}),
    "whole numbers of more than 64 bits": lines({"a": 1}, {"a": 2**70}),
    "true among numbers": lines({"a": 1.5}, {"a": True}),
    "NaN": lines({"a": 1.5}, {"a": float("nan")}),
    "half a character": lines({"a": "x"}, {"a": "\\ud83d"}) + b'{"a": "\\\\\\ud83d"}\n',
    "single carriage returns": b'{"a": 1}\r{"a": 2}\n',
    "no object": b'{"a": 1}\n[1]\n',
    "a line that breaks off": b'{"a": 1}\n{"a": ',
    "other bytes": b'{"a": "x"}\n{"a": "\xff"}\n',
    "far fewer values than cells": lines(*[{f"c{row}": 1} for row in range(1500)]),
}


@pytest.mark.parametrize("raw", AT_ONCE.values(), ids=AT_ONCE)
def test_usual_lines_are_read_at_once(raw):
    found = read_at_once(raw)
    assert found is not None
    assert_frame_equal(found, exactly(raw), check_exact=True)


@pytest.mark.parametrize("raw", LEFT.values(), ids=LEFT)
def test_lines_that_polars_would_change_or_refuse_are_left_to_the_exact_reader(raw):
    assert read_at_once(raw, 8) is None


def test_a_bad_line_of_a_large_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lines, "FEWEST_BYTES", 0)
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(*[{"a": 1}] * 50) + b'{"a": 01}\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 51: expected JSON"):
        read_jsonl(path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin1"])
def test_lines_in_other_encodings_are_read_at_once_too(encoding, monkeypatch):
    monkeypatch.setattr(json_lines, "FEWEST_BYTES", 0)
    monkeypatch.setattr(json_lines, "text_of_bytes", None)  # the exact reader's
    raw = lines({"a": "é"}, {"a": "ü"}, ensure_ascii=False).decode().encode(encoding)
    given = "latin1" if encoding == "latin1" else None
    assert parse_json_lines(raw, Path("a.jsonl"), given).rows() == [("é",), ("ü",)]


def test_kinds_are_found_throughout_a_file():
    raw = lines(*[{"v": [row]} for row in range(400)], *[{"v": [0.5]}] * 400)
    assert read_at_once(raw, 64).schema == {"v": pl.List(pl.Float64)}


def test_a_table_of_more_cells_than_bytes_is_not_read_before_they_are_counted(monkeypatch):
    lines = [f'{{"k{place % 500}":{place % 7}}}' for place in range(20_000)]  # ten million cells
    monkeypatch.setattr(pl, "read_ndjson", lambda *_, **__: pytest.fail("polars was asked for all cells"))
    kinds = {f"k{place}": pl.Int64() for place in range(500)}
    monkeypatch.setattr(json_lines, "SPARSEST", 10)
    assert json_lines._proved(("\n".join(lines) + "\n").encode(), kinds, 1) is None


@pytest.mark.parametrize(
    ("line", "received"),
    [
        ('{"v": [.5]}', "something else at column 8, where '.5]}' begins"),
        ('{"a": 1}{"a": 2}', "something else at column 9, where '{\"a\": 2}' begins"),
        ('{"a": 1', "an early end"),
    ],
)
def test_what_is_no_json_is_shown_with_its_place(line, received):
    with pytest.raises(DataError, match=re.escape(f"line 2: expected JSON, received {received}")):
        list(records_of(['{"a": 0}', line], "a.jsonl"))
