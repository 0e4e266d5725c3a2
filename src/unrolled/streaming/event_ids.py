"""Remembered event ids of a session, so that an event sent twice counts once.

An id is a name (a text) or a number. As bytes, MessagePack of

    [largest number whose answer is no longer kept, [number, answer, ...], [name, answer, ...], fingerprints of names]

with answers as MessagePack and fingerprints of 8 bytes each, the latest last. A number up to the first is refused: it
was counted already, or comes too late. That works for ever and costs 8 bytes. Names have no order, so a name is known
only as long as its fingerprint is kept.
"""

import hashlib
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

import msgpack

from unrolled.errors import OptionError, RepeatedEvent, message
from unrolled.streaming.state import packed, unpacked

PRINT = 8  # bytes of a fingerprint: a new name is mistaken for one of n others with probability n / 2^64
NOTHING = b""
FORMLESS = (TypeError, ValueError, OverflowError)  # raised for an answer that cannot be stored as bytes
EventId = str | int


class Again(NamedTuple):
    """A repeated event.

    Args:
        answer: its earlier answer.
    """

    answer: Any


class IdWindow(NamedTuple):
    """Limits on the ids and answers that each session remembers.

    Args:
        answers: maximum number of answers; the latest are kept.
        names: maximum number of names; the latest are kept, as fingerprints of 8 bytes.
        size: maximum bytes of answers; the last one is kept regardless of its size.

    Example:
        >>> window = IdWindow(answers=2)
        >>> heard = NOTHING
        >>> for number in (1, 2, 5):
        ...     heard = window.after(heard, number, f"answer to {number}")
        >>> window.look(heard, 5), window.look(heard, 3)
        (Again(answer='answer to 5'), None)
        >>> window.look(heard, 1)
        Traceback (most recent call last):
        ...
        unrolled.errors.RepeatedEvent: event_id: expected a number above 1, received 1; it counted already, or comes \
too late, and is not counted now
    """

    answers: int = 64
    names: int = 512
    size: int = 16_384

    def require(self) -> None:
        """Refuse invalid limits.

        Raises:
            OptionError: fewer than one answer, or fewer names than answers.
        """
        if self.answers < 1:
            raise OptionError(message("remembered_events", expected="an integer >= 1", received=self.answers))
        if self.names < self.answers:
            expected = f"an integer >= remembered_events ({self.answers})"
            raise OptionError(message("remembered_ids", expected=expected, received=self.names))
        if self.size < 0:
            raise OptionError(message("remembered_bytes", expected="bytes >= 0", received=self.size))

    def look(self, heard: bytes, event_id: EventId | None) -> Again | None:
        """Look up the earlier answer of an event; None for a new event.

        Raises:
            RepeatedEvent: it was counted already, or may have been, and its answer is no longer kept.
        """
        if event_id is None or not heard:
            return None
        passed, numbers, names, prints = _opened(heard)
        known: dict[Any, bytes] = names if isinstance(event_id, str) else numbers
        if event_id in known:
            return Again(unpacked(known[event_id], use_list=True))
        if isinstance(event_id, str):
            if _holds(prints, _fingerprint(event_id)):
                raise _repeated(f"a new name, or one of the last {self.answers}", event_id, "it counted already")
        elif event_id <= passed:
            remedy = "it counted already, or comes too late, and is not counted now"
            raise _repeated(f"a number above {passed}", event_id, remedy)
        return None

    def after(self, heard: bytes, event_id: EventId | None, output: Any) -> bytes:
        """Return what is remembered after an event.

        Args:
            heard: what was remembered before it.
            event_id: its name or number; None changes nothing.
            output: its answer.
        """
        if event_id is None:
            return heard
        passed, numbers, names, prints = _opened(heard) if heard else (-1, {}, {}, b"")
        if isinstance(event_id, str):
            names[event_id] = packed(output)
            prints = (prints + _fingerprint(event_id))[-PRINT * self.names :]
        else:
            numbers[event_id] = packed(output)
        size = sum(map(len, numbers.values())) + sum(map(len, names.values()))
        while len(numbers) + len(names) > max(self.answers, 1) or (size > self.size and len(numbers) + len(names) > 1):
            oldest = next((name for name in names if name != event_id), None)
            if oldest is not None:
                size -= len(names.pop(oldest))
            else:
                least = min(number for number in numbers if number != event_id)
                size -= len(numbers.pop(least))
                passed = max(passed, least)
        return packed((passed, [*chain.from_iterable(numbers.items())], [*chain.from_iterable(names.items())], prints))


def _opened(heard: bytes) -> tuple[int, dict[int, bytes], dict[str, bytes], bytes]:
    passed, numbers, names, prints = msgpack.unpackb(heard)  # no maps: msgpack would intern all their keys
    return passed, dict(_pairs(numbers)), dict(_pairs(names)), prints


def _pairs(flat: list[Any]) -> Iterable[tuple[Any, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)


def is_heard(data: bytes) -> bool:
    """Return whether bytes are in the format that `IdWindow.after` writes."""
    try:
        passed, numbers, names, prints = _opened(data)
        answers = [*numbers.values(), *names.values()]
        kinds = all(isinstance(key, int) for key in (passed, *numbers)) and all(isinstance(key, str) for key in names)
        whole = all(isinstance(answer, bytes) for answer in (*answers, prints)) and len(prints) % PRINT == 0
    except (ValueError, TypeError, AttributeError, msgpack.UnpackException):
        return False
    return kinds and whole


def _holds(prints: bytes, one: bytes) -> bool:
    place = prints.find(one)
    while place > 0 and place % PRINT:
        place = prints.find(one, place + 1)
    return place >= 0


def _fingerprint(name: str) -> bytes:
    return hashlib.blake2b(name.encode(), digest_size=PRINT).digest()


def _repeated(expected: str, event_id: EventId, remedy: str) -> RepeatedEvent:
    received = repr(event_id if isinstance(event_id, int) else event_id[:80])
    return RepeatedEvent(message("event_id", expected=expected, received=received, remedy=remedy))
