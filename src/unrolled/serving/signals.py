"""Signals: SIGTERM and Ctrl-C drain before they stop, SIGHUP reloads."""

import asyncio
import signal
import threading
from collections.abc import Callable

from unrolled.serving.logs import say
from unrolled.serving.reload import reload
from unrolled.serving.service import Service

STOPPING = (signal.SIGTERM, signal.SIGINT)


def listen(service: Service) -> None:
    """Put draining before what the server does on SIGTERM; only the main thread hears signals."""
    if threading.current_thread() is not threading.main_thread():
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[object]] = set()

    def start(work: Callable[[], object]) -> None:
        task = loop.create_task(work())  # type: ignore[arg-type]
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for number in STOPPING:
        after = signal.getsignal(number)

        async def stop(number: int = number, after: object = after) -> None:
            if not service.draining:
                await drain(service)
            if callable(after):
                after(number, None)

        loop.add_signal_handler(number, start, stop)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, start, lambda: reload(service))


async def drain(service: Service) -> None:
    """Take no more, answer what was taken; a second signal does not wait."""
    service.draining = True
    say("draining", sockets=len(service.hub.waiters))
    await service.hub.drain(service.settings.timeout)
