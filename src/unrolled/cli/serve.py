"""`unrolled serve MODEL`: serve a model over HTTP and WebSocket, with a web page to try it."""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any

import typer

from unrolled.cli.arguments import CommandOption, arguments_of
from unrolled.cli.secrets import from_file, warn_of_password
from unrolled.errors import UnsupportedError
from unrolled.serving.settings import STATE_KEY, STORE, TOKEN, Settings

LIMITS = "Limits"
# the groups of `--help`; what is not named here is a limit
PANELS = {
    "Address and access": ("host", "port", "token", "open_to_all", "workers", "reload_every"),
    "Sessions": ("store", "max_sessions", "max_session_bytes", "ttl", "other_model", "remembered_events",
                 "remembered_ids", "remembered_bytes"),
    "Speed": ("max_batch", "max_wait"),
}  # fmt: skip
VARIABLES = {"store": STORE, "token": TOKEN}  # environment variables
# options that name a file, which no list of processes shows: panel, help, and what the file contains
FILES = {
    "store_file": ("Sessions", "file that contains the address of the store, with its password", "an address"),
    "token_file": ("Address and access", "file that contains the token", "a token"),
    "state_key_file": (
        "Sessions",
        f"file of secrets that sign states, one per line, the newest first; or {STATE_KEY}; the token by default",
        "a secret",
    ),
}


def serve_command() -> Callable[..., None]:
    """Return the command: every field of `Settings` is an option, with its type, default and description."""
    parameters = [_parameter("model", str, inspect.Parameter.empty, typer.Argument(help="model folder"))]
    panels = [*PANELS, LIMITS]
    fields = arguments_of(Settings, ("model", "state_key"))
    for argument in sorted(fields, key=lambda one: panels.index(_panel(one))):  # `--help` shows groups in this order
        kind: Any = argument.kind if argument.default is not None else argument.kind | None
        option = typer.Option(help=argument.text, envvar=VARIABLES.get(argument.name), rich_help_panel=_panel(argument))
        parameters.append(_parameter(argument.name, kind, argument.default, option))
    for name, (panel, text, _) in FILES.items():
        parameters.append(_parameter(name, str, "", typer.Option(help=text, rich_help_panel=panel)))

    def serve(model: str, store_file: str, token_file: str, state_key_file: str, **given: Any) -> None:
        """Serve a model over HTTP and WebSocket: sessions, predictions, text generation; with a web page at /."""
        given["store"] = _secret("store_file", store_file) or given["store"]
        given["token"] = _secret("token_file", token_file) or given["token"]
        state_key = _secret("state_key_file", state_key_file) or os.environ.get(STATE_KEY, "")
        _serve(Settings(model, state_key=state_key, **given))

    serve.__signature__ = inspect.Signature(parameters)
    serve.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return serve


def _serve(settings: Settings) -> None:
    try:
        from unrolled.serving.run import run
    except ImportError as fault:
        if (fault.name or "").partition(".")[0] == "unrolled":
            raise
        raise UnsupportedError(f"serving needs {fault.name}; pip install 'unrolled[serve]'") from fault
    warn_of_password(settings.store)
    run(settings)


def _secret(name: str, file: str) -> str:
    return from_file(f"--{name.replace('_', '-')}", file, FILES[name][2])


def _panel(argument: CommandOption) -> str:
    return next((panel for panel, names in PANELS.items() if argument.name in names), LIMITS)


def _parameter(name: str, kind: Any, default: Any, option: Any) -> inspect.Parameter:
    annotation = Annotated[kind, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
