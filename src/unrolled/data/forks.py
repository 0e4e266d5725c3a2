"""Check that polars works in this process: after `os.fork` a child has none of the threads of polars' pool.

A pool that its parent used is dead in the child, and work for it waits for ever; an unused one starts as
usual. polars does not report which, so a child tries once, with a time limit.
"""

import os
import threading

import polars as pl

from unrolled.errors import UnsupportedError

PATIENCE = 5.0  # seconds for a task that takes a thousandth of one if the pool works
_untried: list[bool] = []  # one entry in a forked child that has not tried yet
_dead: list[bool] = []  # one entry if the pool does not answer


def check_fork() -> None:
    """Refuse table work that would wait for ever in this process; every reader of tables calls this first.

    Raises:
        UnsupportedError: a child forked from a process that had used polars.
    """
    if _untried:
        _untried.clear()
        trial = threading.Thread(target=_sort, daemon=True)
        trial.start()
        trial.join(PATIENCE)
        if trial.is_alive():
            _dead.append(True)
    if _dead:
        raise UnsupportedError(
            "this process was forked from one that had read tables already, and polars cannot read any in it: start it "
            "with multiprocessing.get_context('spawn') or 'forkserver', or fork before the first table is read"
        )


def _sort() -> None:
    pl.Series([3, 1, 2] * 400).sort()


def _forked() -> None:
    if not _dead:
        _untried[:] = [True]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
