"""Several columns together, and choosing codecs for them."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import torch

from unrolled.batch import Nested
from unrolled.codecs.base import Codec
from unrolled.codecs.infer import infer_codecs
from unrolled.codecs.record import Record
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words
from unrolled.errors import ArtifactError, DataError, OptionError

ROWS = [
    {"tokens": ["a", "cat"], "tags": ["D", "N"], "age": 3.0, "site": "n", "text": "a cat"},
    {"tokens": [], "tags": [], "age": None, "site": "s", "text": ""},
    {"tokens": ["the", "red", "cat"], "tags": ["D", "A", "N"], "age": 5.0, "site": "s", "text": "the red cat"},
]


def make() -> Record:
    return Record([Words("tokens"), WordCharacters("tokens"), Numbers("age"), Categories("site")])


def test_sequences_become_inputs_and_single_values_statics() -> None:
    batch = make().fit(ROWS).encode_all(ROWS)
    assert list(batch.inputs) == ["words(tokens)", "word_characters(tokens)"]
    assert isinstance(batch.inputs["word_characters(tokens)"], Nested)
    assert batch.lengths.tolist() == [2, 0, 3]
    assert batch.statics["numbers(age)"].shape == (3, 2)  # the number and its indicator
    assert batch.statics["categories(site)"].shape == (3,)
    assert batch.statics["categories(site)"].dtype == torch.int64


def test_specs_carry_the_names_of_the_batch() -> None:
    record = make().fit(ROWS)
    batch = record.encode_all(iter(ROWS))
    assert list(record.specs) == record.names == [*batch.inputs, *batch.statics]
    assert [name for name, spec in record.specs.items() if spec.per_step] == list(batch.inputs)
    assert record.columns == ("tokens", "age", "site")


def test_equal_codecs_get_different_names() -> None:
    assert Record([Words("x"), Words("x", lowercase=True), Words("y"), Words("x", max_size=3)]).names == [
        "words(x)",
        "words(x)#2",
        "words(y)",
        "words(x)#3",
    ]


def test_a_generator_is_read_once_for_all_codecs() -> None:
    read = 0

    def once() -> Iterator[dict[str, Any]]:
        nonlocal read
        for row in ROWS * 100:
            read += 1
            yield row

    together = Record([*make().codecs, Subwords("text", 260)]).fit(once())
    assert read == 300
    alone = [codec.fit(ROWS * 100) for codec in [*make().codecs, Subwords("text", 260)]]
    assert together.to_json()["codecs"] == [codec.to_json() for codec in alone]


def test_a_fault_in_one_codec_reaches_the_caller() -> None:
    with pytest.raises(DataError, match="column 'age', record 1"):
        Record([Words("text"), Numbers("age")]).fit([ROWS[0], {**ROWS[1], "age": "old"}] * 500)


@pytest.mark.parametrize("codecs", [[Subwords("text", 256)], [Subwords("text", 256), Words("tokens")]], ids=len)
def test_a_fault_in_the_reader_reaches_the_caller(codecs: list[Codec]) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield from ROWS
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        Record(codecs).fit(broken())


def test_sequences_of_unequal_lengths_name_columns_and_record() -> None:
    record = Record([Words("tokens"), Characters("text")]).fit(ROWS)
    with pytest.raises(DataError, match=r"'text', record 0: expected 2 steps, as words\(tokens\) has, received 5"):
        record.encode_all(ROWS)


def test_reports_are_merged() -> None:
    record = make().fit(ROWS)
    record.encode_all([{**ROWS[0], "tokens": ["a", "dog"], "site": "e"}])
    assert record.report() == {
        "unknown in words(tokens)": 1,
        "unknown in word_characters(tokens)": 2,  # o and g
        "unknown in categories(site)": 1,
    }


def test_a_record_survives_json() -> None:
    record = make().fit(ROWS)
    again = Record.from_json(json.loads(json.dumps(record.to_json())))
    assert again.to_json() == record.to_json()
    assert torch.equal(again.encode_all(ROWS).statics["numbers(age)"], record.encode_all(ROWS).statics["numbers(age)"])
    assert (
        repr(again)
        == repr(record)
        == ("Record([Words('tokens'), WordCharacters('tokens'), Numbers('age'), Categories('site')])")
    )


@pytest.mark.parametrize(
    "bad", [{}, {"codec": "record", "version": 2, "codecs": []}, {"codec": "record", "version": 1}]
)
def test_foreign_json_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="a record of codecs"):
        Record.from_json(bad)


def test_newer_and_unknown_codecs_are_refused() -> None:
    good = Words("tokens").fit(ROWS).to_json()
    with pytest.raises(ArtifactError, match=r"version of codec 'words': expected at most 1, received 2.*newer"):
        codec_from_json({**good, "version": 2})
    with pytest.raises(ArtifactError, match="did you mean 'words'"):
        codec_from_json({**good, "codec": "word"})


def test_no_codecs_are_refused() -> None:
    with pytest.raises(OptionError, match="at least one codec"):
        Record([])


# ---- choosing -----------------------------------------------------------------------------------

DAY = timedelta(days=1)
TABLE = [
    {
        "review": f"the film number {row} was a very good one",
        "country": ["Norway", "Peru"][row % 2],
        "stars": row % 5,
        "price": row / 7,
        "day": date(2024, 1, 1) + row * DAY,
        "written": str(date(2024, 1, 1) + row * DAY),
        "empty": None,
    }
    for row in range(100)
]


def test_a_table_gets_a_codec_for_each_kind_of_column() -> None:
    assert list(map(repr, infer_codecs(TABLE, target="stars"))) == [
        "Words('review')",
        "Categories('country')",
        "TimeFeatures('day')",
        "TimeFeatures('written')",
        "Numbers('price')",
    ]


@pytest.mark.parametrize(
    ("values", "codec"),
    [
        ([f"Name{row}son" for row in range(50)], Characters),
        (["ACGT" * row for row in range(1, 50)], Characters),
        ([["a", "b"], [], ["c"]], Words),
        ([[[0, 1], [1, 1]], [[0, 0]]], Frames),
        ([[date(2024, 1, 1), date(2024, 1, 2)]], TimeFeatures),
        ([[1, 2, 3], [], [None, 4]], Numbers),
        ([1, None, 3], Numbers),
        ([True, False], Numbers),
    ],
)
def test_each_kind_of_column_is_recognised(values: list[Any], codec: type[Codec]) -> None:
    (chosen,) = infer_codecs([{"x": value, "y": 1} for value in values], target="y")
    assert type(chosen) is codec
    chosen.fit([{"x": value} for value in values])


def test_channels_of_equal_length_share_one_codec() -> None:
    rows = [{"dim_0": [1.0, 2.0], "dim_1": [3.0, 4.0], "age": 3, "size": 2, "y": "a"}] * 3
    chosen = infer_codecs(rows, target="y")
    assert list(map(repr, chosen)) == ["Numbers(['dim_0', 'dim_1'])", "Numbers(['age', 'size'])"]


def test_sequences_that_cannot_stand_side_by_side_are_refused() -> None:
    rows = [{"title": "a very good film indeed", "body": "it was good, so good, and then it ended", "y": 1}] * 3
    with pytest.raises(DataError, match=r"column 'body', record 0.*leave one out"):
        infer_codecs(rows, target="y")
    assert list(map(repr, infer_codecs(rows, target="y", ignore=["body"]))) == ["Words('title')"]


def test_chosen_codecs_are_not_fitted() -> None:
    assert all(codec.to_json()["learnt"] == {} for codec in infer_codecs(TABLE))


def test_nothing_to_choose_from_is_refused() -> None:
    for rows in ([], [{"x": None, "y": 1}], [{"y": 1}]):
        with pytest.raises(DataError, match="at least one column with values"):
            infer_codecs(rows, target="y")
