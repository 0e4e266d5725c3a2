"""The laws of codecs, for every member of the registry."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import torch

from sounds import tone
from unrolled.batch import Nested
from unrolled.codecs.base import Codec
from unrolled.codecs.media.audio import Audio
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.media.video import Video
from unrolled.codecs.registry import CODECS, codec_from_json
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.labels import Labels, MultiLabels
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words
from unrolled.errors import ArtifactError, DataError, NotFittedError
from unrolled.pauses import pausing
from unrolled.ragged import Ragged

TEXTS = ["Ada's test, no. 3.50!", "", "naïve café\u0301  日本\n", 'He said "no" (twice).', "Ada again"]
TOKENS = [["The", "cat", "."], [], ["The", "The"], ["naïve"]]
SQUARES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
TONES = [tone(440, 0.1), np.zeros(0), tone(1200, 0.02), tone(300, 0.2)]
HOURS = [datetime(2024, 2, 27) + timedelta(hours=7 * step) for step in range(40)]


@dataclass
class Case:
    """A codec, values to learn from, and a value that `fit` never sees with what its report then says."""

    codec: Codec
    values: list[Any]
    unseen: Any = None
    met: str = ""
    lossy: bool = False  # what comes back is not what went in

    def records(self) -> list[dict[str, Any]]:
        return [self.record(value) for value in self.values]

    def record(self, value: Any) -> dict[str, Any]:
        return dict(value) if isinstance(value, dict) else {"x": value}


PAIRS = [{"a": [1.0, 2.5], "b": [3, 4], "g": "n"}, {"a": [], "b": [], "g": "s"}, {"a": [9.0], "b": [None], "g": "s"}]
ROWS = [{"a": 1.5, "b": 2, "g": 1}, {"a": None, "b": 5, "g": 2}, {"a": -3.25, "b": 7, "g": 1}]
CASES = {
    "characters": Case(Characters("x"), TEXTS, "\U0001f600", "unknown"),
    "characters, lowercase": Case(Characters("x", 8, lowercase=True), ["ada", "", "été"], "Z", "unknown"),
    "words": Case(Words("x"), TEXTS, "unheard of", "unknown"),
    "words from tokens": Case(Words("x", embedding_size=0), TOKENS, ["dog"], "unknown"),
    "word characters": Case(WordCharacters("x"), TEXTS, "\U0001f600", "unknown"),
    "word characters from tokens": Case(WordCharacters("x"), TOKENS, ["dog!"], "unknown"),
    "subwords": Case(Subwords("x", size=270), TEXTS),
    "numbers": Case(Numbers("x"), [1.0, 2.5, -7.0, 3.0, None, 1e6]),
    "numbers per step": Case(Numbers("x", "standard", missing="zero"), [[1.0, 2.0], [], [5.5]], [None], "missing"),
    "numbers, several columns": Case(Numbers(["a", "b"]), PAIRS, {"a": [None], "b": [1], "g": "n"}, "missing"),
    "numbers by group": Case(Numbers("a", group="g"), ROWS, {"a": 1.0, "g": 3}, "unseen_group"),
    "numbers, kept": Case(Numbers(["a", "b"], "none", missing="keep"), ROWS, {"a": 1.0, "b": None}, "missing"),
    "frames": Case(Frames("x"), [[[0, 1], [1, 1]], [], [[0, 0]]], [[None, 1]], "missing"),
    "frames, one vector": Case(Frames("x", single=True), [[0.5, 1.0], [1.5, 2.0]], [None, 1], "missing"),
    "frames, scaled": Case(Frames("x", "standard"), [[[0.5, 1.0], [1.5, 1.0]], [[3.5, 1.0]]], [[None, 1]], "missing"),
    "audio": Case(Audio("x", max_seconds=1.0), TONES, tone(440, 1.5), "cut_off", lossy=True),
    "audio with its rate": Case(Audio("x", 8000, 23, 1), [(sound, 11025) for sound in TONES], lossy=True),
    "times": Case(TimeFeatures("x"), HOURS, None, "missing"),
    "times per step": Case(TimeFeatures("x"), [HOURS[:3], [], HOURS[3:9]], [None], "missing"),
    "dates": Case(TimeFeatures("x"), [date(2023, month, 1) for month in range(1, 13)], None, "missing"),
    "times as text": Case(TimeFeatures("x"), ["2024-01-01 00:30", "2024-01-01 01:45"], None, "missing"),
    "times as numbers": Case(TimeFeatures("x"), [[0, 1, 2], [2, 4]], [None], "missing"),
    "categories": Case(Categories("x"), ["n", "s", None, "s", "w"], "e", "unknown"),
    "categories of numbers": Case(Categories("x", 3), [3, 4, True, 2.5], 7, "unknown"),
    "categories per step": Case(Categories("x"), [["n", "s"], [], ["s"]], ["e"], "unknown"),
    "labels": Case(Labels("x", unseen="ignore"), ["b", "a", "b"], "c", "unknown"),
    "labels per step": Case(Labels("x", unseen="ignore"), [[5, 1], [], [1]], [2], "unknown"),
    "pictures": Case(Pictures("x", 4), list(SQUARES)),
    "pictures, grey": Case(Pictures("x", 4, channels=1), list(SQUARES[..., 0])),
    "video": Case(Video("x", 4), [SQUARES, SQUARES[:0], SQUARES[1:]]),
    "video, grey": Case(Video("x", 4, channels=1), [SQUARES[..., 0], SQUARES[1:, ..., 0]]),
    "multi-labels": Case(MultiLabels("x", unseen="ignore"), [["a", "b"], [], ["b"]], ["c"], "unknown"),
}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def fitted(case: Case) -> Codec:
    return fresh(case.codec).fit(case.records())


def fresh(codec: Codec) -> Codec:
    return type(codec)(**codec.arguments())


def sequences(encoded: Ragged | Nested) -> list[list[Any]]:
    """Plain values for each record; the inner sequences spelt out."""
    if isinstance(encoded, Nested):
        pieces = [piece.tolist() for piece in encoded.pieces]
        return [[pieces[index] for index in row.tolist()] for row in encoded.index]
    return [row.nan_to_num(nan=1e30).tolist() for row in encoded]


def same(left: Ragged | Nested, right: Ragged | Nested) -> bool:
    return torch.equal(left.lengths, right.lengths) and sequences(left) == sequences(right)


def test_every_codec_has_a_case() -> None:
    assert {case.codec.name for case in CASES.values()} == set(CODECS)
    assert all(codec.name == name for name, codec in CODECS.items())


def test_fit_returns_the_codec_itself(case: Case) -> None:
    codec = fresh(case.codec)
    assert codec.fit(case.records()) is codec


def test_fit_reads_the_records_once(case: Case, fitted: Codec) -> None:
    passes = 0

    def once() -> Iterator[dict[str, Any]]:
        nonlocal passes
        passes += 1
        yield from case.records()

    codec = fresh(case.codec).fit(once())
    assert passes == 1
    assert codec.to_json() == fitted.to_json()


def test_a_second_fit_forgets_the_first(case: Case, fitted: Codec) -> None:
    codec = fresh(case.codec)
    codec.fit(case.records() * 2 if len(case.values) > 2 else case.records()).encode(case.records())
    codec.fit(case.records())
    assert codec.to_json() == fitted.to_json()
    assert same(codec.encode(case.records()), fitted.encode(case.records()))


def test_use_before_fit_is_refused(case: Case) -> None:
    codec = fresh(case.codec)
    encoded = fresh(case.codec).fit(case.records()).encode(case.records())
    for use in (lambda: codec.spec, lambda: codec.encode(case.records()), lambda: codec.decode(encoded)):
        with pytest.raises(NotFittedError, match=r"fit\(records\)"):
            use()


def test_json_round_trip_gives_equal_encodings(case: Case, fitted: Codec) -> None:
    text = json.dumps(fitted.to_json(), allow_nan=False, ensure_ascii=False).encode().decode()
    again = codec_from_json(json.loads(text))
    assert again.spec == fitted.spec
    assert repr(again) == repr(fitted)
    records = case.records() + ([case.record(case.unseen)] if case.met else [])
    assert same(again.encode(records), fitted.encode(records))
    assert again.report() == fitted.report()
    assert json.loads(json.dumps(again.to_json())) == json.loads(text)


def test_encoding_twice_gives_the_same(case: Case, fitted: Codec) -> None:
    assert same(fitted.encode(case.records()), fitted.encode(case.records()))


def test_encoding_many_records_has_pauses_and_the_same_result(case: Case, fitted: Codec) -> None:
    records = (case.records() * 300)[:300]
    whole, met, pauses = sequences(fitted.encode(records)), fitted.report(), []
    with pausing(lambda: pauses.append(1)):
        assert sequences(fitted.encode(records)) == whole
    assert fitted.report() == met
    assert pauses  # between parts of 256 records


def test_encoding_changes_no_record(case: Case, fitted: Codec) -> None:
    records = case.records()
    fitted.encode(records)
    assert repr(records) == repr(case.records())


def test_an_encoding_does_not_depend_on_the_other_records(case: Case, fitted: Codec) -> None:
    records = case.records()
    together = sequences(fitted.encode(records))
    backwards = sequences(fitted.encode(records[::-1]))
    alone = [sequences(fitted.encode([record]))[0] for record in records]
    assert together == alone == backwards[::-1]


def test_encodings_keep_what_the_spec_says(case: Case, fitted: Codec) -> None:
    encoded, spec = fitted.encode(case.records()), fitted.spec
    assert len(encoded.lengths) == len(case.values)
    if isinstance(encoded, Nested):
        assert spec.kind == "nested"
        assert int(encoded.pieces.values.max()) < spec.size
    elif spec.kind == "index":
        assert encoded.values.dtype == torch.int64
        assert encoded.feature_shape == ()
        assert int(encoded.values.max()) < spec.size
    elif spec.kind == "picture":
        assert encoded.values.dtype == torch.uint8
        assert encoded.feature_shape == spec.shape
        assert math.prod(spec.shape) == spec.size
    else:
        assert encoded.values.dtype == torch.float32
        assert encoded.feature_shape == (spec.size,)
    if not spec.per_step:
        assert encoded.lengths.tolist() == [1] * len(case.values)


def test_decoding_inverts_encoding(case: Case, fitted: Codec) -> None:
    encoded = fitted.encode(case.records())
    grouped = isinstance(fitted, Numbers) and fitted.group is not None
    decoded = fitted.decode(encoded, case.records()) if grouped else fitted.decode(encoded)  # type: ignore[call-arg]
    spaced = isinstance(fitted, Words | WordCharacters)
    assert len(decoded) == len(case.values)
    if case.lossy:
        again = fitted.decode(fitted.encode(case.records()))
        assert all(np.array_equal(one, other) for one, other in zip(decoded, again, strict=True))
        assert [len(back) > 0 for back in decoded] == [int(length) > 0 for length in encoded.lengths]
        return
    for value, back in zip(case.values, decoded, strict=True):
        if isinstance(value, str) and spaced:
            assert re.sub(r"\s", "", back) == re.sub(r"\s", "", value)
        elif isinstance(value, dict):
            columns = fitted.decode(encoded) if not grouped else None
            assert close(back, {name: value[name] for name in back} if columns else value["a"])
        else:
            assert close(back, value)


def test_no_records_encode_to_nothing(fitted: Codec) -> None:
    encoded = fitted.encode([])
    assert len(encoded.lengths) == 0
    assert sequences(encoded) == []


def test_empty_sequences_are_legal(case: Case, fitted: Codec) -> None:
    if not fitted.spec.per_step:
        pytest.skip("a single value is never empty")
    empties: list[Any] = [None, "" if isinstance(case.values[0], str) else []]
    if isinstance(case.values[0], dict):
        empties = [{"a": None, "b": []}, {"a": [], "b": []}]
    assert fitted.encode([case.record(value) for value in empties]).lengths.tolist() == [0, 0]


def test_unseen_values_are_counted_then_forgotten(case: Case, fitted: Codec) -> None:
    if not case.met:
        pytest.skip("nothing is unseen to this codec")
    fitted.encode([*case.records(), case.record(case.unseen)])
    after = fitted.report()
    fitted.encode(case.records())
    before = fitted.report()
    assert after[case.met] > before.get(case.met, 0)


def test_seen_values_need_no_report(case: Case, fitted: Codec) -> None:
    fitted.encode(case.records())
    if not (isinstance(fitted, Numbers) and fitted.missing == "keep"):
        assert fitted.report() == {}


def test_indices_with_unknowns_name_the_unknown(case: Case, fitted: Codec) -> None:
    spec = fitted.spec
    if spec.kind != "index" or isinstance(fitted, Labels | Subwords):
        assert spec.unknown_index in (None, 0)
        return
    encoded = fitted.encode([case.record(case.unseen)])
    assert spec.unknown_index in encoded.values.tolist()


def test_a_missing_column_is_named_with_the_nearest(case: Case, fitted: Codec) -> None:
    column = fitted.columns[0]
    for use in (fresh(case.codec).fit, fitted.encode):
        with pytest.raises(DataError, match=f"the nearest is '{column}1'"):
            use([{f"{column}1": 0, "g": 0}])


def test_nothing_to_learn_from_is_refused(case: Case) -> None:
    for records in ([], [dict.fromkeys([*case.codec.columns], None)]):
        if records and isinstance(case.codec, Categories):
            continue  # a missing value is a category
        with pytest.raises(DataError):
            fresh(case.codec).fit(records)


def test_repr_shows_how_to_make_it(case: Case) -> None:
    assert eval(repr(case.codec), dict(vars_of_codecs())).arguments() == case.codec.arguments()


def test_damaged_json_is_refused(fitted: Codec) -> None:
    good = fitted.to_json()
    for bad in ({**good, "version": 99}, {**good, "codec": "wodrs"}, {"codec": good["codec"], "version": 1}, {}):
        with pytest.raises(ArtifactError):
            codec_from_json(bad)


def vars_of_codecs() -> dict[str, type[Codec]]:
    return {codec.__name__: codec for codec in CODECS.values()}


def close(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(close(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, float) and right is not None:
        return math.isclose(left, right, rel_tol=1e-5, abs_tol=1e-4)
    return np.array_equal(left, right) if isinstance(left, np.ndarray) else left == right
