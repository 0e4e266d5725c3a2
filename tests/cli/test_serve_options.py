"""`unrolled serve`: every setting of a server is an option, which reaches the server as it was given."""

from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from unrolled.cli import serve
from unrolled.errors import OptionError
from unrolled.serving.settings import Settings

HIDDEN = ("model", "state_key")  # an argument, and a secret that comes from a file or the environment
OTHERS = {"other_model": "restart", "store": "sqlite:///s.db", "host": "::1", "token": "abc"}


@pytest.fixture
def given(monkeypatch):
    """Run the command with some words, and return the settings that the server got."""
    for variable in ("UNROLLED_STORE", "UNROLLED_TOKEN", "UNROLLED_STATE_KEY"):
        monkeypatch.delenv(variable, raising=False)
    got = []
    monkeypatch.setattr(serve, "_serve", got.append)
    app = typer.Typer(add_completion=False)
    app.command("serve")(serve.serve_command())
    app.command("other")(lambda: None)

    def run(*words):
        CliRunner().invoke(app, ["serve", "letters", *words], catch_exceptions=False)
        return got[-1]

    return run


def test_without_options_the_defaults_are_those_of_the_settings(given):
    assert given() == Settings("letters")


@pytest.mark.parametrize("name", [one.name for one in fields(Settings) if one.name not in HIDDEN])
def test_every_setting_is_an_option(given, name):
    default = getattr(Settings("letters"), name)
    value = OTHERS.get(name, default + 1 if isinstance(default, int | float) else 7)
    flag, more = "--" + name.replace("_", "-"), ["--store", "sqlite:///s.db"] if name == "workers" else []
    words = [flag, str(value)] if not isinstance(default, bool) else [flag]
    value = True if isinstance(default, bool) else value
    settings = given(*words, *more)
    assert getattr(settings, name) == value
    assert type(getattr(settings, name)) is type(value)


@pytest.mark.parametrize(("option", "name"), [("token", "token"), ("store", "store"), ("state-key", "state_key")])
def test_a_secret_comes_from_a_file(given, tmp_path, option, name):
    file = tmp_path / "secret"
    file.write_text("sqlite:///kept.db\n", encoding="utf-8")
    assert getattr(given(f"--{option}-file", str(file)), name) == "sqlite:///kept.db"


def test_secrets_come_from_the_environment(given, monkeypatch):
    for name in ("STORE", "TOKEN", "STATE_KEY"):
        monkeypatch.setenv(f"UNROLLED_{name}", f"sqlite:///{name}")
    settings = given()
    assert (settings.store, settings.token, settings.state_key) == (
        "sqlite:///STORE",
        "sqlite:///TOKEN",
        "sqlite:///STATE_KEY",
    )


def test_a_setting_that_cannot_be_is_refused(given):
    with pytest.raises(OptionError, match="max_batch: expected a number >= 1, received 0"):
        given("--max-batch", "0")
