"""Schedules of the learning rate: functions of progress, which runs from 0 at the start to 1 at the end.

Progress is counted in updates or by the clock, whichever is further, so a cosine over `minutes=3` ends
after three minutes however fast the machine is. Every schedule peaks at 1, the learning rate of the options.
"""

import math
from collections.abc import Callable

from unrolled.errors import unknown

Schedule = Callable[[float], float]

FLOOR = 0.01  # final value of the falling schedules


def constant(progress: float) -> float:
    """Stay at 1.

    >>> constant(0.7)
    1.0
    """
    return 1.0


def linear(progress: float) -> float:
    """Fall in a straight line from 1 to 1 %.

    >>> linear(0.0), linear(1.0)
    (1.0, 0.01)
    """
    return FLOOR + (1.0 - FLOOR) * (1.0 - progress)


def cosine(progress: float) -> float:
    """Fall along half a cosine wave from 1 to 1 %: slow at both ends.

    >>> cosine(0.0), round(cosine(0.5), 3), cosine(1.0)
    (1.0, 0.505, 0.01)
    """
    return FLOOR + (1.0 - FLOOR) * 0.5 * (1.0 + math.cos(math.pi * progress))


def onecycle(progress: float) -> float:
    """Rise from 4 % to 1 over the first 30 % of the run, then fall to 0.1 %, each along half a cosine wave.

    >>> round(onecycle(0.0), 3), onecycle(0.3), round(onecycle(1.0), 3)
    (0.04, 1.0, 0.001)
    """
    top, low, end = 0.3, 0.04, 0.001
    if progress <= top:
        return 1.0 - (1.0 - low) * 0.5 * (1.0 + math.cos(math.pi * progress / top))
    return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * (progress - top) / (1.0 - top)))


def step(progress: float) -> float:
    """Drop to a tenth at half of the run and to a hundredth at three quarters.

    >>> step(0.49), step(0.5), step(0.75)
    (1.0, 0.1, 0.01)
    """
    return 1.0 if progress < 0.5 else 0.1 if progress < 0.75 else 0.01


def exponential(progress: float) -> float:
    """Fall by the same factor in equal times, from 1 to 1 %.

    >>> exponential(0.5)
    0.1
    """
    return FLOOR**progress


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "onecycle": onecycle,
    "step": step,
    "exponential": exponential,
}


def make_schedule(name: str, warmup: float = 0.0) -> Schedule:
    """Return a schedule by name, after a warm-up.

    Args:
        name: one of `SCHEDULES`.
        warmup: share of the run, in [0, 1), over which the rate rises in a straight line from zero to the start
            of the schedule; the schedule then runs over the rest.

    Returns:
        A function that maps progress in [0, 1] to a factor of the learning rate.

    Raises:
        OptionError: an unknown name.

    Example:
        >>> rate = make_schedule("linear", warmup=0.2)
        >>> rate(0.0), rate(0.1), rate(0.2), rate(1.0)
        (0.0, 0.5, 1.0, 0.01)
    """
    if name not in SCHEDULES:
        raise unknown("schedule", name, SCHEDULES)
    after = SCHEDULES[name]

    def rate(progress: float) -> float:
        progress = min(max(progress, 0.0), 1.0)
        if progress < warmup:
            return after(0.0) * progress / warmup
        return after((progress - warmup) / (1.0 - warmup))

    return rate
