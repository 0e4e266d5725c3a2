"""Pauses between two parts of long work, at which its caller may let other work go first, or end it.

Long work calls `pause` between its parts: the batches of a prediction, the steps of a search, stretches of a long
sequence. Nothing happens there, unless the code that began the work in this thread set something with `pausing`.
Answers are the same with and without. Source: the checkpoints of trio, N. J. Smith, "Notes on structured concurrency"
(2018).
"""

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
PART = 256  # items between two pauses

_AT_PAUSES: ContextVar[Callable[[], None] | None] = ContextVar("at_pauses", default=None)


def pause() -> None:
    """Call what the caller of this work wants done between two parts of it; it may raise, which ends the work."""
    call = _AT_PAUSES.get()
    if call is not None:
        call()


def has_pauses() -> bool:
    """Return whether somebody wants pauses; if not, work need not be cut into parts."""
    return _AT_PAUSES.get() is not None


def paused(items: Iterable[Item]) -> Iterable[Item]:
    """Return the same items, with a pause between parts of them where somebody wants pauses.

    Args:
        items: read once.

    Example:
        >>> times = []
        >>> with pausing(lambda: times.append("pause")):
        ...     found = list(paused(range(600)))
        >>> len(found), len(times)
        (600, 2)
    """
    return _with_pauses(items) if has_pauses() else items


def _with_pauses(items: Iterable[Item]) -> Generator[Item]:
    for number, item in enumerate(items):
        if number and number % PART == 0:
            pause()
        yield item


@contextmanager
def pausing(call: Callable[[], None]) -> Generator[None]:
    """Set what happens between two parts of the work in this block, in this thread alone.

    Args:
        call: called at each pause; may wait, or raise.

    Example:
        >>> import unrolled as ur
        >>> model = ur.Classifier(hidden_size=2).fit(["ab", "ba"] * 8, ["x", "y"] * 8, epochs=1)
        >>> times = []
        >>> with pausing(lambda: times.append("pause")):
        ...     answers = model.predict(["ab"] * 600)
        >>> len(times) >= 3
        True
    """
    token = _AT_PAUSES.set(call)
    try:
        yield
    finally:
        _AT_PAUSES.reset(token)
