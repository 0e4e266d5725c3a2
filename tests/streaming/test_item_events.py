"""Events of users with values of any kind: an answer, or one sentence of ours, never the text of a library's error."""

import datetime as dt
import re

import pytest

from folders.tiny_tasks import tiny
from unrolled.errors import UnrolledError

GOOD = {"user": "u1", "item": "i5", "time": dt.datetime(2024, 3, 1), "price": 1.0, "lat": 50.05, "lon": 8.1}
ODD = [None, True, float("inf"), 2**70, "x", b"x", [1], {"a": 1}, ["a", 1], dt.date(2024, 1, 1), object(), 1j]
LIBRARY = re.compile(
    r"polars|dtype|[Ss]eries|ndarray|[Tt]ensor|unexpected value|infer|unhashable|PyLong|__\w+__", re.ASCII
)


@pytest.mark.parametrize("column", GOOD)
@pytest.mark.parametrize("name", ["NextPlace", "Recommender"])
def test_an_event_is_answered_or_refused_in_our_words(name, column):
    stream = tiny(name).model.stream()
    for value in ODD:
        said = _refusal(stream, {**GOOD, column: value})
        assert not LIBRARY.search(said.replace(repr(value), "")), f"{value!r}: {said}"
    assert stream.step(GOOD, None)[0] is not None


def _refusal(stream, event):
    """Return what a refusal says; empty where the event was answered."""
    try:
        stream.step(event, None)
    except UnrolledError as error:
        return str(error)
    return ""
