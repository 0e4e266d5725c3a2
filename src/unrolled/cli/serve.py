"""`unrolled serve MODEL`: serve a model over HTTP and WebSocket, with a web page to try it."""

import os
from typing import Annotated

import typer

from unrolled.cli.secrets import from_file, warn_of_password
from unrolled.errors import UnsupportedError
from unrolled.serving.settings import STATE_KEY, STORE, TOKEN, Settings


def serve(
    model: Annotated[str, typer.Argument(help="model folder")],
    store: Annotated[
        str,
        typer.Option(
            envvar=STORE, help="where sessions are stored: sqlite:///sessions.db or redis://host; in memory by default"
        ),
    ] = "",
    store_file: Annotated[
        str, typer.Option(help="file that contains the address of the store, with its password")
    ] = "",
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 accepts other machines")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port; 0 = any free port")] = 8000,
    token: Annotated[
        str,
        typer.Option(
            envvar=TOKEN, help="token that clients have to send; use a file or the environment to hide it from ps"
        ),
    ] = "",
    token_file: Annotated[str, typer.Option(help="file that contains the token")] = "",
    state_key_file: Annotated[
        str,
        typer.Option(
            help="file of secrets that sign states, one per line, the newest first; or UNROLLED_STATE_KEY; "
            "the token by default"
        ),
    ] = "",
    open_to_all: Annotated[
        bool, typer.Option(help="listen without a token on an address that other machines can reach")
    ] = False,
    workers: Annotated[int, typer.Option(help="number of processes; more than one needs a store")] = 1,
    max_body: Annotated[int, typer.Option(help="maximum number of bytes of a request")] = 8_000_000,
    max_length: Annotated[
        int, typer.Option(help="maximum number of characters of a text, items of a list, and tokens to generate")
    ] = 100_000,
    max_items: Annotated[int, typer.Option(help="maximum number of values of a JSON body")] = 200_000,
    max_cells: Annotated[
        int, typer.Option(help="maximum of rows times columns of a CSV body, and of the probabilities of an answer")
    ] = 1_000_000,
    max_columns: Annotated[
        int, typer.Option(help="maximum number of columns of a table, and of different names in the objects of a body")
    ] = 1_000,
    max_depth: Annotated[int, typer.Option(help="maximum depth of nested lists and objects")] = 32,
    max_events: Annotated[int, typer.Option(help="maximum number of events of a request")] = 5_000,
    max_sessions: Annotated[
        int | None,
        typer.Option(
            help="maximum number of sessions; the least recently used are evicted; 0 = no limit; by default a million "
            "in memory, no limit in a store"
        ),
    ] = None,
    max_session_bytes: Annotated[
        int,
        typer.Option(help="maximum number of bytes of the sessions of a process; the least recently used are evicted"),
    ] = 2**30,
    remembered_events: Annotated[
        int, typer.Option(help="answers kept per session, for events that are sent again with the same id")
    ] = 64,
    remembered_ids: Annotated[
        int, typer.Option(help="text ids remembered per session; there is no limit for ids that are growing numbers")
    ] = 512,
    remembered_bytes: Annotated[
        int, typer.Option(help="maximum number of bytes of the answers kept per session")
    ] = 16_384,
    ttl: Annotated[float, typer.Option(help="seconds after which an unused session is deleted; 0 = never")] = 0.0,
    other_model: Annotated[
        str,
        typer.Option(help='if a session in the store is of another model: "refuse" its events, or "restart" it'),
    ] = "refuse",
    timeout: Annotated[
        float,
        typer.Option(help="maximum number of seconds of a request, and of a client that does not read its answers"),
    ] = 30.0,
    min_rate: Annotated[
        int,
        typer.Option(help="minimum number of bytes per second that a client sends of its body or reads of its answer"),
    ] = 4_000,
    max_requests: Annotated[int, typer.Option(help="maximum number of requests at once; more get 429")] = 64,
    max_sockets: Annotated[int, typer.Option(help="maximum number of WebSocket connections at once")] = 10_000,
    max_batch: Annotated[int, typer.Option(help="maximum number of events in a batch")] = 256,
    max_wait: Annotated[float, typer.Option(help="maximum number of seconds an event waits to be batched")] = 0.002,
    reload_every: Annotated[
        float,
        typer.Option(help="seconds between two checks whether the model's folder has changed; 0 = only on SIGHUP"),
    ] = 0.0,
    ping_every: Annotated[float, typer.Option(help="seconds between two pings of a WebSocket")] = 20.0,
) -> None:
    """Serve a model over HTTP and WebSocket: sessions, predictions, text generation; with a web page at /."""
    settings = Settings(
        model=model,
        store=from_file("--store-file", store_file, "an address") or store,
        state_key=from_file("--state-key-file", state_key_file, "a secret") or os.environ.get(STATE_KEY, ""),
        host=host,
        port=port,
        token=from_file("--token-file", token_file, "a token") or token,
        open_to_all=open_to_all,
        workers=workers,
        max_body=max_body,
        max_length=max_length,
        max_items=max_items,
        max_cells=max_cells,
        max_columns=max_columns,
        max_depth=max_depth,
        max_events=max_events,
        max_sessions=max_sessions,
        max_session_bytes=max_session_bytes,
        remembered_events=remembered_events,
        remembered_ids=remembered_ids,
        remembered_bytes=remembered_bytes,
        ttl=ttl,
        other_model=other_model,
        timeout=timeout,
        min_rate=min_rate,
        max_requests=max_requests,
        max_sockets=max_sockets,
        max_batch=max_batch,
        max_wait=max_wait,
        reload_every=reload_every,
        ping_every=ping_every,
    )
    try:
        from unrolled.serving.run import run
    except ImportError as fault:
        if (fault.name or "").partition(".")[0] == "unrolled":
            raise
        raise UnsupportedError(f"serving needs {fault.name}; pip install 'unrolled[serve]'") from fault
    warn_of_password(settings.store)
    run(settings)
