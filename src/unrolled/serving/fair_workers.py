"""Threads for long calls, of which a few run at a time; at its pauses a call lets the ones that wait go first.

A call that nobody waits for any more ends at its next pause, or at once if it has not begun.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from unrolled.pauses import pausing

SLICE = 0.05  # seconds of processor time that a call takes before it lets one that waits go first
MOST_THREADS = 64  # calls that have begun


class Stopped(BaseException):
    """The end of a call that nobody waits for; no `Exception`, so that no code of the call handles it."""


class Call:
    """One call in a thread.

    Attributes:
        future: its result.
    """

    future: "Future[Any]"

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.runs = self.is_stopped = False
        self.since = 0.0  # processor time of its thread when its slice began


class FairWorkers:
    """A pool of threads; those of the calls that may run take turns, the others wait in two lines.

    One line is of new calls, the other of calls that have had a turn; a free place goes to each of them in turn. So
    a short call does not wait until all long ones have had their turns, and many short ones do not keep out long ones.

    Args:
        running: calls that run at the same time: each makes the event loop wait longer for Python's lock.
        most: calls that may have begun; further ones wait for a thread.
        name: of the threads.
    """

    def __init__(self, running: int, most: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(min(most, MOST_THREADS), thread_name_prefix=name)
        self._free = running
        self._new: deque[Call] = deque()
        self._begun: deque[Call] = deque()
        self._is_turn_of_new = True
        self._lock = threading.Lock()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Call:
        """Queue a call."""
        call = Call()
        call.future = self._pool.submit(self._run, call, function, *arguments)
        return call

    def stop(self, call: Call) -> None:
        """Drop a call that has not begun, or that waits for its turn; end one that runs at its next pause."""
        call.future.cancel()
        with self._lock:
            call.is_stopped = True
            for line in (self._new, self._begun):
                if call in line:
                    line.remove(call)
                    call.goes_on.set()

    def close(self) -> None:
        """Take no more calls, and drop those that have not begun."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self, call: Call, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            self._begin(call)
            with pausing(partial(self._pause, call)):
                return function(*arguments)
        finally:
            self._end(call)

    def _begin(self, call: Call) -> None:
        with self._lock:
            if call.is_stopped:
                raise Stopped
            self._new.append(call)
            if self._free:
                self._free -= 1
                self._next()
        self._wait(call)

    def _pause(self, call: Call) -> None:
        if call.is_stopped:
            raise Stopped
        if not (self._new or self._begun) or time.thread_time() - call.since < SLICE:
            return
        with self._lock:
            call.runs = False
            self._begun.append(call)
            self._next()
        self._wait(call)

    def _wait(self, call: Call) -> None:
        """Wait until the call may run, or is stopped."""
        call.goes_on.wait()
        call.goes_on.clear()
        call.since = time.thread_time()
        if call.is_stopped:
            raise Stopped

    def _end(self, call: Call) -> None:
        with self._lock:
            if call.runs:
                call.runs = False
                self._next()

    def _next(self) -> None:
        """Give a free place to the first call of the line whose turn it is, or of the other one."""
        first, second = (self._new, self._begun) if self._is_turn_of_new else (self._begun, self._new)
        line = first or second
        if not line:
            self._free += 1
            return
        self._is_turn_of_new = line is not self._new
        following = line.popleft()
        following.runs = True
        following.goes_on.set()
