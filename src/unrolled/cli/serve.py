"""`unrolled serve MODEL`: a model behind HTTP and WebSocket, with a page to try it in a browser."""

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
            envvar=STORE, help="where sessions are kept: sqlite:///sessions.db or redis://host; without, in memory"
        ),
    ] = "",
    store_file: Annotated[str, typer.Option(help="file that holds the address of the store, password and all")] = "",
    host: Annotated[str, typer.Option(help="address to listen on; other machines reach 0.0.0.0")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port; 0 takes a free one")] = 8000,
    token: Annotated[
        str,
        typer.Option(envvar=TOKEN, help="what clients have to send; in a file or the environment it is not seen in ps"),
    ] = "",
    token_file: Annotated[str, typer.Option(help="file that holds the token")] = "",
    state_key_file: Annotated[
        str,
        typer.Option(
            help="file of secrets that states are signed with, one a line, the newest first; or UNROLLED_STATE_KEY; "
            "without, the token serves"
        ),
    ] = "",
    open_to_all: Annotated[
        bool, typer.Option(help="listen without a token on an address that other machines reach")
    ] = False,
    workers: Annotated[int, typer.Option(help="processes; several need a store")] = 1,
    max_body: Annotated[int, typer.Option(help="bytes of a request at most")] = 8_000_000,
    max_length: Annotated[
        int, typer.Option(help="characters of a text, items of a list, and tokens to write at most")
    ] = 100_000,
    max_items: Annotated[int, typer.Option(help="values of a JSON body at most")] = 200_000,
    max_cells: Annotated[
        int, typer.Option(help="rows times columns of a CSV body, or of probabilities that are answered, at most")
    ] = 1_000_000,
    max_columns: Annotated[
        int, typer.Option(help="columns of a table, or different names in the objects of a body, at most")
    ] = 1_000,
    max_depth: Annotated[int, typer.Option(help="lists and objects inside each other at most")] = 32,
    max_events: Annotated[int, typer.Option(help="events in one request at most")] = 5_000,
    max_sessions: Annotated[
        int | None,
        typer.Option(
            help="sessions kept at most, the latest; 0 = no bound; without, a million in memory, no bound in a store"
        ),
    ] = None,
    max_session_bytes: Annotated[
        int, typer.Option(help="bytes of a process that sessions take at most; the least recently used make room")
    ] = 2**30,
    remembered_events: Annotated[
        int, typer.Option(help="answers kept for each session, for events that come again with the same id")
    ] = 64,
    remembered_ids: Annotated[
        int, typer.Option(help="texts known as ids for each session; ids that are growing numbers have no bound")
    ] = 512,
    remembered_bytes: Annotated[int, typer.Option(help="bytes of the answers kept for a session")] = 16_384,
    ttl: Annotated[float, typer.Option(help="seconds after which an unused session is forgotten; 0 = never")] = 0.0,
    other_model: Annotated[
        str,
        typer.Option(help='of a session that another model left in the store: "refuse" its events, or "restart" it'),
    ] = "refuse",
    timeout: Annotated[
        float, typer.Option(help="seconds a request may take, and a slow client may hold up its answers")
    ] = 30.0,
    min_rate: Annotated[
        int, typer.Option(help="bytes a second that a client has to send of its body or take of its answer")
    ] = 4_000,
    max_requests: Annotated[int, typer.Option(help="requests answered at once; more get 429")] = 64,
    max_sockets: Annotated[int, typer.Option(help="WebSocket connections at once")] = 10_000,
    max_batch: Annotated[int, typer.Option(help="events read side by side at most")] = 256,
    max_wait: Annotated[float, typer.Option(help="seconds an event may wait for company")] = 0.002,
    reload_every: Annotated[
        float, typer.Option(help="seconds between two looks whether the model's folder changed; 0 = only on SIGHUP")
    ] = 0.0,
    ping_every: Annotated[float, typer.Option(help="seconds between two pings of a WebSocket")] = 20.0,
) -> None:
    """Answer over HTTP and WebSocket: sessions, predictions, texts; a page stands at /."""
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
