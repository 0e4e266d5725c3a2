"""A value of any kind in an event of any stream is read, or refused in one sentence; a refusal changes no state."""

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from functools import cache

import numpy as np
import polars as pl
import pytest

from folders.tiny_tasks import MAKERS, RECORDS, tiny
from unrolled.codecs.text.words import Words
from unrolled.errors import UnrolledError
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.classification.tagger import Tagger
from unrolled.tasks.shared.event_values import category_of, name_of, number_of

pytestmark = pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
FORWARDS = {
    "Classifier": lambda: Classifier([Words("words"), "kind"], "y", hidden_size=4, bidirectional=False, pooling="last"),
    "Tagger": lambda: Tagger("words", target="tags", hidden_size=4, bidirectional=False),
}
NAMES = [name for name in MAKERS if name not in ("Classifier, characters", "Translator", "Captioner")]
VALUES = [
    None, float("nan"), float("inf"), -0.0, 1e308, 10**400, 2**63, True, 1j, "", "007", "1.5", "NaN", "\0", "\ud800",
    ["\ud800"], b"a", b"\xff", [], [None], [[]], [[["a"]]], [1, 2.5], ["a", 1, None], (1, 2, 3), [0.0] * 1000, {"a": 1},
    {1: 2}, {1}, object(), len, int, dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.time(3),
    dt.timedelta(1), Decimal("1.5"), Decimal("NaN"), Fraction(1, 3), np.float32(1.5), np.int64(3), np.bool_(True),
    np.str_("a"), np.array([1.0, 2.0]), np.array(3.0), np.datetime64("2024-01-01"), np.timedelta64(1, "D"),
    pl.Series([1, 2]),
]  # fmt: skip
WHOLE = [
    None, 5, "x", "", [], {}, {"zz": 1}, [1, 2, 3, 4, 5, 6, 7], b"a", float("nan"), True, object(), {1: 2}, {None: 1},
    [{}], dt.date(2024, 1, 1), np.array([1.0]), np.float64(1), [None], (), 10**400, "\ud800", pl.DataFrame({"a": [1]}),
]  # fmt: skip


@cache
def streamed(name):
    """A stream, the state after some events, and the next event."""
    model, data, _ = tiny(name)
    if name in FORWARDS:
        model = FORWARDS[name]().fit(RECORDS, epochs=1, device="cpu", baselines=False)
    stream = model.stream()
    events = max(stream.events(model._source(data)), key=len)[:8]
    return stream, stream.feed(events[:-1]), events[-1]


def odd_events(event, turn, share):
    """Events with each value in one of `share` columns, or in every column; `turn` tells the models apart."""
    yield from WHOLE[turn % share :: share]
    yield {**event, "further": object(), "": 1, None: 2}
    for place, column in enumerate(event):
        yield {name: value for name, value in event.items() if name != column}
        yield {name.upper(): value for name, value in event.items()}
        yield from ({**event, column: value} for value in VALUES[(place + turn) % share :: share])


@pytest.mark.parametrize(
    "share", [pytest.param(1, marks=pytest.mark.slow, id="every value"), pytest.param(8, id="some")]
)
@pytest.mark.parametrize("name", NAMES)
def test_an_odd_event_is_read_alone_and_in_company_or_refused_in_one_sentence_without_a_trace(name, share):
    stream, state, event = streamed(name)
    before = stream.pack(state)
    mate, _ = stream.step(event, state)
    for odd in odd_events(event, NAMES.index(name), share):
        given = repr(odd)[:80]
        answers, after = stream.step_many([event, odd, event], [state, state, state], errors="return")
        assert all(same(one, mate) for one in (answers[0], answers[2])), given
        assert stream.pack(state) == before, given
        try:
            answer, alone = stream.step(odd, state)
        except UnrolledError as fault:
            said = str(fault)
            assert said, given
            assert len(said) < 500, given
            assert "\n" not in said, given
            assert isinstance(answers[1], UnrolledError), given
            assert stream.pack(after[1]) == before, given
        else:
            assert same(answers[1], answer), given
            stream.unpack(stream.pack(alone))  # what an event leaves behind can be kept


def same(one, other):
    if isinstance(one, dict):
        return isinstance(other, dict) and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return np.isclose(one, other, rtol=1e-5, atol=1e-6, equal_nan=True)
    return one == other


# ---- the same value in a table ----------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 1, 2.5, True, "2.5", " 7 ", "NA", "1_000", "abc", b"1", [1.0], float("inf"),
                                   10**400, np.float32(1.5), Decimal("1.5")], ids=repr)  # fmt: skip
@pytest.mark.parametrize("name", ["Detector", "Forecaster"])
def test_a_number_of_an_event_is_read_as_in_a_table(name, value):
    model, table, _ = tiny(name)
    rows = table.frame.filter(pl.col("site") == "a").to_dicts()[:12]
    rows = [{**row, "site": "new"} for row in rows]
    odd = [*rows[:-2], {**rows[-2], "load": value}, rows[-1]]
    try:
        wanted = model.predict(odd).to_dicts()
    except UnrolledError:
        wanted = None
    stream, state, said = model.stream(), None, None
    try:
        for row in odd:
            said, state = stream.step(row, state)
    except UnrolledError:
        said = None
    assert (said is None) == (wanted is None)
    if said is None or wanted is None:
        return
    if name == "Forecaster":
        assert np.allclose(said["forecast"], [row["forecast"] for row in wanted], rtol=1e-4)
    else:
        assert same({key: said[key] for key in ("variable", "seen", "low", "high")},
                    {key: wanted[-1][key] for key in ("variable", "seen", "low", "high")})  # fmt: skip


def test_single_values_are_told_from_others():
    assert np.isnan(number_of(None, "x"))
    assert (number_of(np.bool_(True), "x"), number_of(Fraction(1, 2), "x")) == (1.0, 0.5)
    assert (category_of(None, "x"), category_of(np.bool_(False), "x"), category_of(7, "x")) == (None, "false", "7")
    assert (name_of("012", "x"), name_of(12, "x")) == ("012", "12")
    for ask, value in ((number_of, "1"), (number_of, 1e301), (category_of, ["a"]), (name_of, None), (name_of, {})):
        with pytest.raises(UnrolledError, match="column 'x': expected"):
            ask(value, "x")
