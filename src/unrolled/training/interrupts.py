"""Ctrl-C: the first ends training after the current update, the second ends it at once."""

import signal
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

NOTICE = "unrolled: stopping after this update and keeping the best model so far; Ctrl-C again stops at once"


@contextmanager
def catching_interrupts(on_first: Callable[[], None]) -> Generator[None]:
    """Call `on_first` for the first SIGINT inside, raise KeyboardInterrupt for the second.

    Signals can only be caught in the main thread; elsewhere, and where SIGINT is ignored, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield
        return
    seen = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        if seen:
            raise KeyboardInterrupt
        seen = True
        print(NOTICE, file=sys.stderr, flush=True)
        on_first()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
