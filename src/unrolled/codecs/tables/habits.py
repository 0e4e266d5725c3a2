"""A user's own habits, updated event by event; gives the same as `unrolled.codecs.tables.own_history.recalled`."""

from typing import Any, NamedTuple

from unrolled.codecs.tables.own_history import AFTER, HOUR, HOUR_SECONDS, MOST, WEEK_HOURS
from unrolled.state_forms import Also, FixedParts, Form, Many, Whole


class Habits(NamedTuple):
    """The habits of one user; items by index. It is immutable: `with_event` returns a new one."""

    last: int = -1  # the item of the last event; -1 before the first
    hour: int = -1  # the hour of the week of the last event
    followed: tuple[tuple[int, int], ...] = ()  # item, and the item that followed it the last time
    in_hour: tuple[tuple[int, int], ...] = ()  # hour of the week, and the item that followed its last event
    counts: tuple[tuple[int, int], ...] = ()  # item, and number of its events
    most: int = -1  # the most frequent item; the first to reach its count
    times: int = 0  # number of its events

    def with_event(self, item: int, seconds: float | None) -> "Habits":
        """Return the habits after one more event.

        Args:
            item: index of its item.
            seconds: its time since 1970; None if times are no dates.

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
        """Return the items that the events so far suggest; `nothing` if there is no suggestion."""
        found = {AFTER: dict(self.followed).get(self.last, nothing), MOST: self.most if self.times else nothing}
        if self.hour >= 0:
            found[HOUR] = dict(self.in_hour).get(self.hour, nothing)
        return found

    @staticmethod
    def form(size: int) -> Form:
        """Return the form of habits as a tuple, with items in [0, size]."""
        item, hour = Whole(0, size), Whole(-1, WEEK_HOURS - 1)
        kept = FixedParts(
            Whole(-1, size),
            hour,
            Many(FixedParts(item, item), size + 1, distinct=True),
            Many(FixedParts(hour, item), WEEK_HOURS + 1, distinct=True),
            Many(FixedParts(item, Whole(1)), size + 1, distinct=True),
            Whole(-1, size),
            Whole(),
        )
        return Also(kept, lambda found: found[-2] >= 0 or not found[-1], "a most frequent item that was counted")

    @classmethod
    def from_values(cls, values: Any) -> "Habits":
        """Return habits from a plain tuple."""
        return cls(*values)
