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
