"""Running the server: one process, or several that share one store."""

import contextlib
import signal
import socket
import sys
import threading

import fastapi as fastapi  # imported here so that a missing extra is reported at once
import prometheus_client as prometheus_client
import uvicorn
import websockets as websockets
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from unrolled.errors import OptionError, message, reason
from unrolled.serving.application import make_app, settle
from unrolled.serving.logs import say, set_up
from unrolled.serving.protocol import Http, Protocol
from unrolled.serving.service import open_service
from unrolled.serving.settings import Settings

APPLICATION = "unrolled.serving.application:from_environment"
LOOP = "unrolled.serving.event_loop:BurstLoop"
SEND_BUFFER = 1 << 18  # bytes that the kernel buffers for a client that does not read
UNSENT = 1 << 14  # of those, the bytes that may be not yet sent, where the kernel supports this limit


def run(settings: Settings) -> None:
    """Serve until a signal stops the server.

    Raises:
        ArtifactError: no model at the path.
        OptionError: an address that cannot be listened on.
    """
    set_up()
    with contextlib.closing(listening(settings)) as sock:
        settings.to_environment()
        service = open_service(settings)  # errors appear here once, not in every worker
        several = settings.workers > 1
        if several:
            service.close()
        config = uvicorn.Config(
            APPLICATION if several else make_app(service),
            factory=several,
            workers=settings.workers,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            loop=LOOP,
            http=Http,
            ws=Protocol,
            ws_max_size=settings.max_body,
            ws_ping_interval=settings.ping_every,
            ws_ping_timeout=settings.ping_every,
            ws_per_message_deflate=False,  # answers are short: it would cost a third of the time and save nothing
            timeout_graceful_shutdown=int(settings.timeout) + 1,
        )
        host, port = sock.getsockname()[:2]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        print(f"serving {settings.model} at {address}", file=sys.stderr, flush=True)
        if not settings.is_loopback and not settings.token:
            say("open", warning="everybody who reaches this address may send requests (--open-to-all)")
        end_well_on_sigterm()
        if several:
            workers = Workers(config, sockets=[sock])
            workers.run()
            if workers.interrupted:
                raise KeyboardInterrupt
            started = all(process.exitcode != STARTUP_FAILURE for process in workers.processes)
        else:
            settle()
            server = uvicorn.Server(config)
            server.run(sockets=[sock])
            started = server.started
        if not started:
            raise SystemExit(1)  # the log says why


class Workers(Multiprocess):
    """Worker processes that share one store; `interrupted` says whether Ctrl-C ended them."""

    interrupted = False

    def handle_int(self) -> None:
        """Stop, and remember that it was by Ctrl-C."""
        self.interrupted = True
        super().handle_int()


def end_well_on_sigterm() -> None:
    """Exit with status 0 on SIGTERM.

    The server catches the signal, drains, and then raises it again for the previous handler: without one the signal
    would kill the process after its work is done, and a supervisor would see a failure.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def listening(settings: Settings) -> socket.socket:
    """Open a listening socket; the kernel drops connections whose other end is gone or does not read.

    Raises:
        OptionError: an address that this machine does not have, or that is in use.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # so that a text is not written far ahead of a client that does not read
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        patience = min(int(4000 * settings.timeout), 2**31 - 1)  # milliseconds, long after we have given up ourselves
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, patience)
    try:
        sock.bind((settings.host, settings.port))
    except (OSError, OverflowError) as fault:
        sock.close()
        where = f"{settings.host}:{settings.port} ({reason(fault)})"
        raise OptionError(
            message("--host, --port", expected="a free address of this machine", received=where)
        ) from fault
    sock.set_inheritable(True)
    return sock
