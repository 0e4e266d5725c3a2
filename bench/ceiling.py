"""Peak speed of the processor: multiply-adds from registers, on all threads, without loads."""

import ctypes
import threading
import time

from llvmlite import ir

from unrolled.kernels.cpu import compiler
from unrolled.kernels.cpu.emit import Code
from unrolled.kernels.cpu.machine import host

TURNS = 20_000_000
SUMS = 12  # vectors that are added to in turn: enough to hide how long one addition takes, few enough for AVX2
OFFSET = 16  # float32 values before the vectors, for the number of turns


def ceiling(threads: int) -> float:
    """Multiply-adds per second in float32, the best of three."""
    kernel = compiler.load("ceiling", host(), _write)
    return max(_rate(kernel.run, threads) for _ in range(3))


def _rate(run: object, threads: int) -> float:
    rooms = [(ctypes.c_float * (OFFSET + (SUMS + 2) * host().width))() for _ in range(threads)]
    for room in rooms:
        ctypes.c_int64.from_buffer(room).value = TURNS
    workers = [threading.Thread(target=run, args=(ctypes.addressof(room),)) for room in rooms]  # type: ignore[arg-type]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return threads * TURNS * SUMS * host().width / (time.perf_counter() - start)


def _write(module: ir.Module) -> None:
    code = Code(module, host(), "kernel", 1, internal=False)
    room = code.pointer(code.arguments[0])
    turns, (left, right, *places) = room.entry(0), [room + OFFSET + i * host().width for i in range(SUMS + 2)]
    left, right = left.vector(), right.vector()
    with code.loop(0, turns, carry=[place.vector() for place in places]) as loop:
        loop.next = [code.fused(left, right, total) for total in loop.carried]
    for place, total in zip(places, loop.carried, strict=True):
        place.store(total)
    code.done()
