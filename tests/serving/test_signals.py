"""Signals reach the server on every system: with asyncio's own handlers hidden, as they are on Windows."""

import asyncio
import signal
import threading

import pytest

from unrolled.serving import signals
from unrolled.serving.dispatch import Hub
from unrolled.serving.service import Service
from unrolled.serving.settings import Settings


@pytest.fixture
def kept_handlers():
    before = {number: signal.getsignal(number) for number in (*signals.STOPPING, *signals.RELOADING)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def service(language):
    service = Service(Settings(model="letters"), language)
    yield service
    service.close()


class LoopOfWindows(asyncio.SelectorEventLoop):
    """A loop that cannot handle signals."""

    def add_signal_handler(self, sig, callback, *args):
        raise NotImplementedError


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, LoopOfWindows], ids=["this system", "Windows"])
@pytest.mark.usefixtures("kept_handlers")
def test_a_stopping_signal_drains_first_and_a_second_one_stops_at_once(service, make_loop):
    stopped: list[tuple[int, bool]] = []
    number = signals.STOPPING[0]

    async def serve() -> None:
        service.hub = Hub(asyncio.get_running_loop())
        signal.signal(number, lambda number, frame: stopped.append((number, service.draining)))
        signals.listen(service)
        signal.raise_signal(number)
        signal.raise_signal(number)
        for _ in range(200):
            await asyncio.sleep(0.01)
            if len(stopped) == 2:
                break
        service.hub.close()

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(serve())
    assert stopped == [(number, True)] * 2
    signal.raise_signal(number)  # the loop is closed: what was there before hears it
    assert len(stopped) == 3


@pytest.mark.skipif(not signals.RELOADING, reason="this system has no SIGHUP; --reload-every does it there")
@pytest.mark.usefixtures("kept_handlers")
def test_sighup_reloads_and_a_loop_that_sleeps_hears_it(service, monkeypatch):
    heard = []

    async def reload(service: Service) -> bool:
        heard.append(service)
        return True

    monkeypatch.setattr(signals, "reload", reload)

    async def serve() -> None:
        signals.listen(service)
        threading.Timer(0.1, signal.raise_signal, [signals.RELOADING[0]]).start()
        await asyncio.sleep(0.5)

    with asyncio.Runner(loop_factory=LoopOfWindows) as runner:
        runner.run(serve())
    assert heard == [service]
