"""Signals: SIGTERM and Ctrl-C drain and stop the server, SIGHUP reloads the model where the system has it.

This uses `signal.signal` and a call into the loop, as asyncio's `add_signal_handler` exists only on Unix.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

from unrolled.serving.logs import say
from unrolled.serving.reload import reload
from unrolled.serving.service import Service

# SIGBREAK: Ctrl-Break, and how Windows ends a process group
STOPPING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name))
RELOADING = tuple(getattr(signal, name) for name in ("SIGHUP",) if hasattr(signal, name))


def listen(service: Service) -> None:
    """Drain before the server stops on SIGTERM; only the main thread gets signals."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[object]] = set()

    def start(work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        task = loop.create_task(work())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def hear(number: int, work: Callable[[], Coroutine[Any, Any, object]], after: object) -> None:
        def heard(number: int, frame: FrameType | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(start, work)  # a handler runs between any two instructions
            elif callable(after):
                after(number, frame)

        signal.signal(number, heard)

    for number in STOPPING:
        after = signal.getsignal(number)

        async def stop(number: int = number, after: object = after) -> None:
            if not service.draining:
                await drain(service)
            if callable(after):
                after(number, None)

        hear(number, stop, after)
    for number in RELOADING:
        hear(number, lambda: reload(service), signal.getsignal(number))


async def drain(service: Service) -> None:
    """Accept no more requests and answer those accepted; a second signal does not wait."""
    service.draining = True
    say("draining", sockets=len(service.hub.waiters))
    await service.hub.drain(service.settings.timeout)
