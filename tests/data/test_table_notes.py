"""What a newcomer's table holds besides plain columns is said: written numbers, repeated names, counted rows."""

import polars as pl
import pytest

import unrolled as ur
from unrolled.data.table_notes import table_notes


@pytest.mark.parametrize(
    "text", ["1,234", "$5", "5%", "1.234,56", "1\u00a0234", "\u20ac5", "1'234", "(5)", "-$1,200.50", "5 EUR", "3,5"]
)
def test_numbers_that_are_written_as_texts_are_named(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(f'price,label\n"{text}",a\n"{text}",b\n', encoding="utf-8")
    (note,) = ur.read_csv(path).notes
    assert note.startswith(f"column 'price' is text: {text!r} is no plain number")


@pytest.mark.parametrize("text", ["007", "a1", "12-34", "1.2.3", "2024-01-01", "tea", "5 kg of tea", ""])
def test_codes_dates_and_words_are_texts_without_a_note(text):
    assert table_notes(pl.DataFrame({"code": [text, text]})) == ()


def test_repeated_names_and_columns_that_count_rows_are_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("Unnamed: 0,a,a\n0,x,2\n1,y,2\n2,z,2\n")
    counted, repeated = ur.read_csv(path).notes
    assert counted == "column 'Unnamed: 0' only counts the rows; leave it out of what is learnt from"
    assert repeated == "the name 'a' is repeated: a further column of this name is called 'a_duplicated_0'"
    assert table_notes(pl.DataFrame({"": [3, 5, 6], "day": [0, 1, 2]})) == ()


@pytest.mark.parametrize(
    ("values", "odd", "row"),
    [
        (["degC", "1", "2.5"], "degC", 0),  # a second line with units
        ([*map(str, range(300)), "Total"], "Total", 300),  # a sum at the end
        (["1", "# moved", "3", "NA", "5"], "# moved", 1),  # a comment between the rows
    ],
)
def test_an_odd_text_among_numbers_is_named_with_its_row(values, odd, row):
    (note,) = table_notes(pl.DataFrame({"temp": values}))
    assert note.startswith(f"column 'temp' is text because of {odd!r} in row {row}; other values are numbers; leave")
    assert note.endswith(f"missing=[{odd!r}]")


@pytest.mark.parametrize("values", [["A5", "12"], ["A5", "B7", "12", "13"], ["12", "13"], ["007", "12", "9"], ["x"]])
def test_codes_among_numbers_are_no_odd_texts(values):
    assert table_notes(pl.DataFrame({"code": values})) == ()


@pytest.mark.parametrize("number", [-9999, -999.0, 9999, 99999.0, 1e20, -99])
def test_a_number_that_stands_for_missing_values_is_named(number):
    values = [10.0, 12.0, number, 11.5, number, 14.0]
    (note,) = table_notes(pl.DataFrame({"temp": pl.Series(values, dtype=pl.Float64)}))
    assert note.startswith(f"column 'temp' holds {number:g} 2 times, far from all other values")
    whole = ur.read_csv(b"temp\n10\n-9999\n12\n-9999\n").notes
    assert whole == (
        "column 'temp' holds -9999 2 times, far from all other values; if it stands for missing ones, give "
        "missing=[-9999]",
    )
    assert ur.read_csv(b"temp\n10\n-9999\n12\n-9999\n", missing=[-9999]).frame["temp"].to_list() == [10, None, 12, None]


@pytest.mark.parametrize(
    "values", [[97, 98, 99, 99], [5000, 9999, 9999, 7000], [1, 2, 3], [999, 999], [-99, 3], [1e4, 99999, 99999, 1e6]]
)
def test_usual_numbers_stand_for_nothing_else(values):
    assert table_notes(pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})) == ()


@pytest.mark.parametrize(
    ("text", "options", "note"),
    [
        (b"a,b,c\n1,2,3\n4,5\n", {}, "line 3 has 2 of 3 values; the others are missing"),
        (b"a;b\n1;2\n3\n", {"separator": ";"}, "line 3 has 1 of 2 values; the others are missing"),
        (b"a::b\n1::2\n3\n", {"separator": "::"}, "line 3 has 1 of 2 values; the others are missing"),
        (b"a b  c\n1 2  3\n1 2\n", {"separator": " "}, "line 3 has 2 of 3 values; the others are missing"),
        (b"1,2\n3\n", {"header": False}, "line 2 has 1 of 2 values; the others are missing"),
        (b'a,b\n"x\ny,",2\n"z,"\n', {}, "line 4 has 1 of 2 values; the others are missing"),
        (
            b"a,b,c\n1,2,3\n4\n\n5,6\n  \n",
            {},
            "2 lines have too few values, and the others are missing; the first, line 3, has 1 of 3 values",
        ),
    ],
)
def test_lines_with_too_few_values_are_named(tmp_path, text, options, note):
    (tmp_path / "a.csv").write_bytes(text)
    assert ur.read_csv(tmp_path / "a.csv", **options).notes == (note,)
    assert ur.read_csv(text, **options).notes == (note,)


@pytest.mark.parametrize("text", [b"a,b\n1,\n2,3\n", b"a\n1\n\n2\n", b"a,b\n1,2\n\n   \n3,4\n", b"a,b\n1,NA\n2,3\n"])
def test_a_missing_last_value_is_no_line_with_too_few(text):
    assert ur.read_csv(text).notes == ()


def test_the_search_for_lines_with_too_few_values_ends(tmp_path):
    lines = b"1,2\n" * 100_000
    assert ur.read_csv(b"a,b\n" + lines + b"3,\n4\n").notes == ()
    assert ur.read_csv(b"a,b\n4\n" + lines + b"3\n").notes == ("line 2 has 1 of 2 values; the others are missing",)


def test_values_without_a_column_have_a_remedy():
    with pytest.raises(ur.errors.DataError, match="if lines stand above the names of columns, remove them"):
        ur.read_csv(b"Account: 7\ndate,paid\n2024-01-01,3\n")
