"""The number of threads that is fastest at the moment, learnt from the times of recent calls.

A team of threads waits for its last one. On a machine that is busy with something else one thread is always late, and
fewer threads finish sooner. The work is split in the same way, so the result does not depend on the number of threads.
"""

from collections import deque
from statistics import median

RECENT = 5  # number of recent calls that measure the speed
TRIAL = 3  # number of calls of a trial
FIRST = 16  # calls before the first trial, so that a short run has none
LONGEST, LONGEST_REDUCED = 1024, 128  # maximum calls between two trials; finds an idle core within a second
BETTER = 0.9  # share of the time that another number of threads must reach
SLOWER = 1.4  # times the time at the last trial: the load has changed


class Pace:
    """The number of threads for calls of one kind: the maximum, a half of it, a quarter, down to one.

    From time to time it tries the next number for a few calls, sooner when the calls have become slow.

    Args:
        most: number of parts into which the calls are split.

    Example:
        >>> pace = Pace(2)
        >>> pace.threads
        2
        >>> for _ in range(40):  # alone it takes 10 ms, with a core that is busy elsewhere 15
        ...     pace.took(0.010 if pace.threads == 1 else 0.015)
        >>> pace.threads
        1
    """

    def __init__(self, most: int) -> None:
        self._sizes = [most]
        while self._sizes[-1] > 1:
            self._sizes.append(self._sizes[-1] // 2)
        self._place = 0  # index of the number in use
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._trial: list[float] | None = None
        self._tried = 0  # index of the number on trial
        self._usual = float("inf")  # time of a call at the last trial
        self._wait, self._left = FIRST, FIRST  # calls between two trials, and until the next one

    @property
    def threads(self) -> int:
        """Number of threads for the next call."""
        return self._sizes[self._place if self._trial is None else self._tried]

    def took(self, cost: float) -> None:
        """Record the time of a call with the current number, in seconds per unit of work."""
        trial = self._trial  # another thread may end the trial meanwhile
        if trial is not None:
            trial.append(cost)
            if len(trial) >= TRIAL:
                self._judge(median(trial))
            return
        self._recent.append(cost)
        self._left -= 1
        changed = len(self._recent) == RECENT and median(self._recent) > SLOWER * self._usual
        if self._left <= 0 or changed:
            self._begin(changed)

    def _begin(self, changed: bool) -> None:
        if changed:
            self._wait = FIRST
        more, fewer = self._place - 1, self._place + 1
        turned = self._tried == fewer  # in the middle the two directions alternate
        self._tried = more if fewer == len(self._sizes) or (more >= 0 and turned) else fewer
        self._trial, self._usual = [], median(self._recent)

    def _judge(self, cost: float) -> None:
        self._trial = None
        if cost < BETTER * self._usual:
            self._place, self._usual, self._wait = self._tried, cost, FIRST
            self._recent.clear()
        else:
            self._wait = min(4 * self._wait, LONGEST_REDUCED if self._place else LONGEST)
        self._left = self._wait
