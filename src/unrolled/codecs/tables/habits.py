"""A user's own habits, kept up to date event by event; `unrolled.codecs.tables.own_history` reads them all at once."""

from typing import Any, NamedTuple

from unrolled.codecs.tables.own_history import AFTER, HOUR, HOUR_SECONDS, MOST, WEEK_HOURS
from unrolled.state_forms import Also, Form, Many, Parts, Whole


class Habits(NamedTuple):
    """What is kept of one user; items by index. A value: `with_event` gives a new one."""

    last: int = -1  # the item of the last event; -1 before the first
    hour: int = -1  # the hour of the week in which it was
    followed: tuple[tuple[int, int], ...] = ()  # item, and what followed it the last time
    in_hour: tuple[tuple[int, int], ...] = ()  # hour of the week, and what followed its last event
    counts: tuple[tuple[int, int], ...] = ()  # item, and how often
    most: int = -1  # the most frequent item, the first that was so
    times: int = 0  # how often that was

    def with_event(self, item: int, seconds: float | None) -> "Habits":
        """After one more event.

        Args:
            item: its index.
            seconds: its time since 1970; None where times are no dates.

        Example:
            >>> after = Habits().with_event(3, None).with_event(5, None).with_event(3, None)
            >>> after.recalled(nothing=9)
            {'after': 5, 'most': 3}
        """
        hour = -1 if seconds is None else int(seconds // HOUR_SECONDS) % WEEK_HOURS
        followed, in_hour, counts = dict(self.followed), dict(self.in_hour), dict(self.counts)
        if self.last >= 0:
            followed[self.last] = item
            if seconds is not None:
                in_hour[self.hour] = item
        counts[item] = counts.get(item, 0) + 1
        more = counts[item] > self.times
        most, times = (item, counts[item]) if more else (self.most, self.times)
        kept = [tuple(found.items()) for found in (followed, in_hour, counts)]
        return Habits(item, hour, kept[0], kept[1], kept[2], most, times)

    def recalled(self, nothing: int) -> dict[str, int]:
        """What the events so far suggest; `nothing` where they suggest nothing."""
        found = {AFTER: dict(self.followed).get(self.last, nothing), MOST: self.most if self.times else nothing}
        if self.hour >= 0:
            found[HOUR] = dict(self.in_hour).get(self.hour, nothing)
        return found

    @staticmethod
    def form(size: int) -> Form:
        """What `tuple` of it may be, with items in [0, size]."""
        item, hour = Whole(0, size), Whole(-1, WEEK_HOURS - 1)
        kept = Parts(
            Whole(-1, size),
            hour,
            Many(Parts(item, item), size + 1, distinct=True),
            Many(Parts(hour, item), WEEK_HOURS + 1, distinct=True),
            Many(Parts(item, Whole(1)), size + 1, distinct=True),
            Whole(-1, size),
            Whole(),
        )
        return Also(kept, lambda found: found[-2] >= 0 or not found[-1], "a most frequent item that was counted")

    @classmethod
    def from_values(cls, values: Any) -> "Habits":
        """From the plain tuple that it is."""
        return cls(*values)
