"""Running calls in several threads: torch's own OpenMP team where it can be found, else Python threads.

A second pool would compete with torch's for the cores, as its threads keep spinning for a while after each operation.
"""

import ctypes
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from llvmlite import ir

from unrolled.kernels.cpu.emit import INT32, INT64, Code, Number
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.pace import Pace

_paces: dict[tuple[int, int, int], Pace] = {}  # by kernel, number of calls, and power of two of the work
_forked: list[bool] = []  # not empty in a forked child, which has none of its parent's threads, unnoticed by OpenMP
_executors: dict[int, ThreadPoolExecutor] = {}  # by process


class Kernel(NamedTuple):
    """A compiled kernel.

    Args:
        run: takes the address of its arguments, 64-bit integers.
        team: address of the function from `write_team`.
    """

    run: Callable[[int], None]
    team: int


class Team(NamedTuple):
    """OpenMP's entry points."""

    parallel: object  # GOMP_parallel
    thread_num: int  # addresses
    num_threads: int


def threads_for(work: float, least: float) -> int:
    """Return the number of threads for some work: torch's number, or one where threads would cost more."""
    return 1 if work < least else torch.get_num_threads()


class Calls:
    """Several calls of one kernel that run in parallel; bound once, run any number of times.

    Args:
        kernel: to call.
        arguments: 64-bit integers for each call; the memory that they point to must outlive this object.
        work: total number of multiplications.
    """

    def __init__(self, kernel: Kernel, arguments: Sequence[Sequence[int]], work: float) -> None:
        self.kernel, self.work = kernel, max(1.0, work)
        self._held = [(ctypes.c_int64 * len(values))(*values) for values in arguments]
        self.addresses = [ctypes.addressof(values) for values in self._held]
        self._team = _team() if len(arguments) > 1 else None
        if self._team is not None:
            values = [self._team.thread_num, self._team.num_threads, len(self.addresses), *self.addresses]
            self._shared = (ctypes.c_int64 * len(values))(*values)
            self._pace = pace_of(kernel, len(self.addresses), self.work)

    def run(self) -> None:
        """Run every call, and return when all have ended."""
        if len(self.addresses) == 1:
            self.kernel.run(self.addresses[0])
        elif self._team is not None and not _forked:
            start = time.perf_counter()
            shared, threads = ctypes.addressof(self._shared), self._pace.threads
            self._team.parallel(self.kernel.team, shared, threads, 0)  # type: ignore[operator]
            self._pace.took((time.perf_counter() - start) / self.work)
        else:
            for future in [_executor().submit(self.kernel.run, address) for address in self.addresses]:
                future.result()


def run_all(kernel: Kernel, arguments: Sequence[Sequence[int]], work: float) -> None:
    """Run the kernel once for each list of arguments."""
    if arguments:
        Calls(kernel, arguments, work).run()


def pace_of(kernel: Kernel, calls: int, work: float) -> Pace:
    """Return the pace of calls of this kernel with the same split and about the same work."""
    key = (kernel.team, calls, math.frexp(work)[1])
    return _paces.get(key) or _paces.setdefault(key, Pace(calls))


def write_team(module: ir.Module, machine: Machine) -> None:
    """Write the function `team` that each thread of an OpenMP team calls: its share of the calls of `kernel`."""
    code = Code(module, machine, "team", 1, internal=False)
    given = code.pointer(code.arguments[0])
    number, threads = (_answer(code, given.entry(place)) for place in range(2))
    with code.loop(number, given.entry(2), threads) as turn:
        code.builder.call(module.globals["kernel"], [given.entry(turn.index + 3).value])
    code.done()


def _answer(code: Code, function: Number) -> Number:
    """Call a function without arguments, given by its address, and return its result."""
    pointer = code.builder.inttoptr(function.value, ir.FunctionType(INT32, []).as_pointer())
    answer = code.builder.call(pointer, [])
    return Number(code, code.builder.sext(answer, INT64))


@cache
def _team() -> Team | None:
    root = Path(torch.__file__).parent
    for path in [*root.glob("lib/libgomp*.so*"), *root.parent.glob("torch.libs/libgomp*.so*")]:
        library = ctypes.CDLL(str(path))  # the library that torch has loaded already
        addresses = [
            ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
            for name in ("omp_get_thread_num", "omp_get_num_threads")
        ]
        library.GOMP_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
        library.GOMP_parallel.restype = None
        return Team(library.GOMP_parallel, *addresses)
    return None


def _executor() -> ThreadPoolExecutor:
    process = os.getpid()
    if process not in _executors:
        _executors[process] = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="unrolled")
    return _executors[process]


def _forked_child() -> None:
    """Use one thread in a forked child, where torch's operations too would wait for the parent's threads."""
    _forked.append(True)
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked_child)
