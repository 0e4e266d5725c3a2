"""What other programs write into tables of text: escaped quotes, aligned columns, texts of spreadsheets."""

import polars as pl
import pytest

from unrolled.data.readers import read_csv, read_tsv
from unrolled.errors import DataError


@pytest.mark.parametrize("text", ['a,b\n"x \\"y\\"",2\n', 'a,b\n"q",1\n"x \\"y, z\\"",2\n', 'a\n"x \\"y\\" z"\n'])
@pytest.mark.parametrize("place", ["path", "bytes"])
def test_a_quote_after_a_backslash_is_refused_with_its_line(text, place, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text)
    line = len(text.splitlines())
    with pytest.raises(DataError, match=f'line {line}: .*write a quote within a value twice, ""'):
        read_csv(path if place == "path" else text.encode())


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ('a,b\n"C:\\dir\\",2\n"z",3\n', ["C:\\dir\\", "z"]),  # a backslash at the end of a value
        ('a,b\nz,1\n"C:\\",2', ["z", "C:\\"]),
        ('a,b\n"{""k"": ""v\\""w""}",2\n', ['{"k": "v\\"w"}']),  # JSON within a value
    ],
)
def test_a_backslash_that_ends_a_value_or_stands_before_a_doubled_quote_is_kept(text, want):
    assert read_csv(text.encode()).frame["a"].to_list() == want


def test_tabs_have_no_quotes_to_escape():
    assert read_tsv(b'a\tb\n"x \\"y\\" z"\t2\n').frame["a"].to_list() == ['"x \\"y\\" z"']


def test_blanks_that_align_columns_are_one_separator():
    want = pl.DataFrame({"a": [1, 33], "b": [2.5, 4.0], "c": ["x  y", "z"]})
    aligned = b'  a    b  c\n  1  2.5  "x  y"\r\n 33  4    z  \n'
    assert read_csv(aligned, separator=" ").frame.equals(want)
    assert read_csv(b" 1.0  2\n33.0  4\n", separator=" ", header=False).frame.rows() == [(1.0, 2), (33.0, 4)]


def test_two_blanks_are_around_a_missing_value_where_the_first_line_has_none():
    assert read_csv(b"a b c\n1  3\n", separator=" ").frame.rows() == [(1, None, 3)]


def test_texts_of_a_spreadsheet_are_read_without_their_formula():
    table = read_csv(b'shop,sold\n="007",1\n"=""012""",2\n12,3\n')
    assert table.frame.rows() == [("007", 1), ("012", 2), ("12", 3)]
    other = read_csv(b'x\n="a"&"b"\n').frame
    assert other["x"].to_list() == ['="a"&"b"']
