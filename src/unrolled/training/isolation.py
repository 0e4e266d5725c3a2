"""Isolation of runs in one process: random numbers, reproducible kernels and the number of threads of each run.

Python, NumPy and torch each keep one random state for the whole process, and torch one set of settings. A run
changes them only during its turn, and restores them afterwards. So runs in several threads take turns, update
by update; each learns the weights that it would learn alone, and the program's own random numbers do not change.
"""

import os
import random
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from unrolled.training.seeds import reproducible

CPU = torch.device("cpu")
_random: Any = np.random  # its stubs lack the functions that exchange generators


class _Turn:
    lock = threading.RLock()  # the thread that holds it may take it again: a callback may fit another model


def _forget() -> None:
    """Reset the lock in a forked child, in which no other thread has a turn."""
    _Turn.lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_forget)


class Apart:
    """The random numbers and settings of one run.

    Args:
        seed: seed of its random numbers.
        device: device on which it draws random numbers.
        threads: number of threads of torch during its turns; 0 = the number that torch has.

    Example:
        >>> before = torch.get_rng_state()
        >>> draws = []
        >>> for one in (Apart(7), Apart(7)):
        ...     with one.turn():
        ...         draws.append(torch.rand(3))
        >>> torch.equal(*draws), torch.equal(before, torch.get_rng_state())
        (True, True)
    """

    def __init__(self, seed: int, device: torch.device = CPU, threads: int = 0) -> None:
        self._seed, self._device, self._threads = seed, device, threads
        self._own: Any = None  # the state of its random numbers, after its first turn
        self._numpy = np.random.MT19937()  # NumPy's generator is exchanged whole: reading its state is ten times slower
        self._normal: tuple[Any, ...] = ()  # a normal number that NumPy drew for the program in advance

    @contextmanager
    def turn(self) -> Generator[None]:
        """Draw from this run's random numbers, by reproducible kernels, while no other run has its turn."""
        with self.drawing(), reproducible(self._device):
            threads = torch.get_num_threads()
            if self._threads:
                torch.set_num_threads(self._threads)
            try:
                yield
            finally:
                if self._threads:
                    torch.set_num_threads(threads)

    @contextmanager
    def drawing(self) -> Generator[None]:
        """Draw from this run's random numbers while no other run has its turn, without changing settings."""
        with _Turn.lock:
            outside, numpy = self._numbers(), _random.get_bit_generator()
            if self._own is None:
                *_, waiting, normal = _random.get_state(legacy=True)
                self._normal = (waiting, normal) if waiting else ()
            _random.set_bit_generator(self._numpy)
            try:
                self._start() if self._own is None else self._go_on(self._own)
                yield
            finally:
                self._own = self._numbers()
                self._go_on(outside)
                _random.set_bit_generator(numpy)
                if self._normal:  # an exchange of generators would lose it
                    _random.set_state((*_random.get_state(legacy=True)[:3], *self._normal))

    def _start(self) -> None:
        random.seed(self._seed)
        np.random.seed(self._seed % 2**32)  # noqa: NPY002 - what a user's own code draws from
        torch.default_generator.manual_seed(self._seed)
        if self._device.type == "cuda":
            with torch.cuda.device(self._device):
                torch.cuda.manual_seed(self._seed)

    def _numbers(self) -> tuple[Any, ...]:
        """Return the states of Python's and torch's random numbers."""
        cuda = torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None
        return random.getstate(), torch.get_rng_state(), cuda

    def _go_on(self, numbers: tuple[Any, ...]) -> None:
        """Restore the states that `_numbers` returned."""
        python, cpu, cuda = numbers
        random.setstate(python)
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self._device)
