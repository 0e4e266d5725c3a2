"""Many columns are computed end to end, and have the same kinds and values as one by one."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import unrolled as ur
from unrolled.data import many_columns
from unrolled.data.cells import typed_columns
from unrolled.errors import DataError

CELLS = st.sampled_from(
    [
        None,
        "",
        "1",
        "-2",
        "2.5",
        "1e5",
        " 7 ",
        "007",
        "NA",
        "?",
        "true",
        "False",
        "x",
        "[1, 2]",
        "[a]",
        "1.234,5",
        "9" * 30,
    ]
)


@given(st.integers(0, 4).flatmap(lambda rows: st.lists(st.lists(CELLS, min_size=rows, max_size=rows), max_size=6)))
@pytest.mark.parametrize("decimal", [".", ","])
def test_the_columns_of_a_wide_table_are_those_of_a_tall_one(decimal: str, columns: list[list[str | None]]) -> None:
    frame = pl.DataFrame({f"c{place}": pl.Series(cells, dtype=pl.String) for place, cells in enumerate(columns)})
    wide = typed_columns(frame, decimal=decimal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many_columns, "TALL", 0)
        assert_frame_equal(typed_columns(frame, decimal=decimal), wide)


def test_lines_without_a_value_are_left_out_of_wide_tables_too() -> None:
    head = ",".join(f"gene{place}" for place in range(3000))
    lines = [",".join(["0.5"] * 3000), "," * 2999, "," * 2998 + ",7"]
    table = ur.read_csv("\n".join([head, *lines, ""]).encode())
    assert len(table) == 2
    assert table.frame["gene2999"].to_list() == [0.5, 7.0]


def test_a_message_names_a_few_columns_of_very_many() -> None:
    frame = pl.DataFrame(
        {"label": ["a", "b"] * 8, **{"g" + "abcdefghij"[p % 10] * (p + 1): [0.5] * 16 for p in range(60)}}
    )
    for task in (ur.Classifier(target="label"), ur.Classifier("nothing", "label"), ur.Classifier(target="nothing")):
        with pytest.raises(DataError) as caught:
            task.fit(frame, epochs=1)
        assert len(str(caught.value)) < 600
