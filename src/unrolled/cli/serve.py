"""`unrolled serve MODEL`: a model behind HTTP and WebSocket, with a page to try it in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from unrolled.errors import OptionError, UnsupportedError, message
from unrolled.serving.settings import TOKEN, Settings


def serve(
    model: Annotated[str, typer.Argument(help="model folder")],
    store: Annotated[
        str, typer.Option(help="where sessions are kept: sqlite:///sessions.db or redis://host; without, in memory")
    ] = "",
    host: Annotated[str, typer.Option(help="address to listen on; other machines reach 0.0.0.0")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port; 0 takes a free one")] = 8000,
    token: Annotated[
        str,
        typer.Option(envvar=TOKEN, help="what clients have to send; in a file or the environment it is not seen in ps"),
    ] = "",
    token_file: Annotated[str, typer.Option(help="file that holds the token")] = "",
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
        store=store,
        host=host,
        port=port,
        token=_token(token, token_file),
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
    run(settings)


def _token(token: str, path: str) -> str:
    if not path:
        return token
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as fault:
        reason = getattr(fault, "strerror", None) or "no UTF-8"
        raise OptionError(message("--token-file", expected="a readable file", received=f"{path} ({reason})")) from fault
    if not token:
        raise OptionError(message("--token-file", expected="a token", received=f"{path} (empty)"))
    return token
