"""How many threads are worth it just now, learnt from what the last calls took.

A team waits for its last member. On a machine that is busy with something else one member is always late, and fewer
threads are done sooner. How the work is cut stays the same, so the answer does not depend on who does it.
"""

from collections import deque
from statistics import median

RECENT = 5  # calls that say how fast it goes
TRIAL = 3  # calls of a trial
FIRST = 16  # calls before the first trial: a short run never sees one
LONGEST, LONGEST_REDUCED = 1024, 128  # calls between two trials; an idle core is found again within the second
BETTER = 0.9  # of the time, for another number of threads to be taken
SLOWER = 1.4  # times the time at the last trial: something has changed


class Pace:
    """The number of threads for calls of one kind: the most, a half of it, a quarter, down to one.

    Now and then it tries the next number for a few calls, sooner when the calls have become slow.

    Args:
        most: into how many parts the calls are cut.

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
        self._place = 0  # of the number in use
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._trial: list[float] | None = None
        self._tried = 0  # place of the number on trial
        self._usual = float("inf")  # what a call took at the last trial
        self._wait, self._left = FIRST, FIRST  # calls between two trials, and until the next one

    @property
    def threads(self) -> int:
        """How many the next call should have."""
        return self._sizes[self._place if self._trial is None else self._tried]

    def took(self, cost: float) -> None:
        """Tell what a call with so many has taken, in seconds for a unit of work."""
        trial = self._trial  # several threads may call: another one may end it meanwhile
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
        turned = self._tried == fewer  # in the middle the two directions take turns
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
