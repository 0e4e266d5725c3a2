"""Laws over all commands: a place that takes no output, a reader that has left, Ctrl-C. One line, never a trace."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import unrolled as ur
from unrolled.cli.main import main, make_app

COMMANDS = sorted([*(command.name or "" for command in make_app([]).registered_commands), "fit"])
READING = ("check", "evaluate", "inspect", "predict")  # commands that take the options of the readers
SLOW = dict.fromkeys(("inspect", "lecture"), pytest.mark.slow)  # they draw much before they print


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "letters"
    return ur.LanguageModel(hidden_size=4, dropout=0.0).fit("abcacbbca" * 60, epochs=1).save(folder)


@pytest.fixture(scope="module")
def words(model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What each command is called with so that it has something to print."""
    folder = tmp_path_factory.mktemp("data")
    text, events = folder / "text.txt", folder / "events.jsonl"
    text.write_text("abcacbbca\n" * 40)
    events.write_text('{"who": "a", "text": "abc"}\n' * 3)
    return {
        "check": [str(model), str(text)],
        "evaluate": [str(model), str(text)],
        "export": [str(model), "--out", str(folder / "model.onnx")],
        "fit": ["language", str(text), "--out", str(folder / "new"), "--epochs", "1", "--hidden-size", "4"],
        "generate": [str(model), "--length", "5"],
        "info": [str(model)],
        "inspect": [str(model), str(text), "--out", str(folder / "report.html")],
        "lecture": ["--out", str(folder / "lecture")],
        "predict": [str(model), str(text)],
        "serve": ["--help"],  # its own output goes to the log
        "stream": [str(model), str(events), "--key", "who"],
    }


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def without_reader() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def left(
    words: list[str], place: Callable[[], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str]:
    """The exit code of a command in this process, and what it wrote as messages."""
    messages = tmp_path / "messages"
    monkeypatch.setattr(sys, "argv", ["unrolled", *words])
    with os.fdopen(place(), "w") as output, messages.open("w") as said:
        monkeypatch.setattr(sys, "stdout", output)
        monkeypatch.setattr(sys, "stderr", said)
        with pytest.raises(SystemExit) as end:
            main()
        sys.stderr.flush()
        sys.stdout.close()
        monkeypatch.undo()
    assert isinstance(end.value.code, int)
    return end.value.code, messages.read_text()


@pytest.mark.parametrize("command", [pytest.param(name, marks=SLOW.get(name, ())) for name in COMMANDS])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_under_the_output_is_named_and_ends_with_1(
    command: str, words: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = left([command, *words[command]], full, tmp_path, monkeypatch)
    assert code == 1
    assert said.splitlines()[-1] == f"error: standard output: {os.strerror(errno.ENOSPC)}"
    assert "Traceback" not in said
    assert "our fault" not in said


@pytest.mark.parametrize("command", [pytest.param(name, marks=SLOW.get(name, ())) for name in COMMANDS])
def test_a_reader_that_has_left_ends_a_command_without_a_word(
    command: str, words: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = left([command, *words[command]], without_reader, tmp_path, monkeypatch)
    assert code == 141
    assert "error" not in said


@pytest.mark.parametrize("command", COMMANDS)
def test_ctrl_c_is_one_line_and_130(
    command: str, words: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        signal.raise_signal(signal.SIGINT)

    module = sys.modules[f"unrolled.cli.{command}"]
    if command == "fit":
        monkeypatch.setattr(module, "_command", lambda *_: interrupted)
    elif command == "serve":
        monkeypatch.setattr(module, "serve_command", lambda: interrupted)
    elif command in READING:
        monkeypatch.setattr(module, command, lambda reading: interrupted())
    else:
        monkeypatch.setattr(module, command, interrupted)
    asked = [command, "language"] if command == "fit" else [command]
    monkeypatch.setattr(sys, "argv", ["unrolled", *asked])
    messages = tmp_path / "messages"
    with messages.open("w") as said:
        monkeypatch.setattr(sys, "stderr", said)
        with (tmp_path / "out").open("w") as output:
            monkeypatch.setattr(sys, "stdout", output)
            with pytest.raises(SystemExit) as end:
                main()
            sys.stderr.flush()
            monkeypatch.undo()
    assert (end.value.code, messages.read_text()) == (130, "stopped by Ctrl-C\n")


def test_ctrl_c_in_a_real_process_is_one_line_and_130(model: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "unrolled.cli.main",
        "generate",
        str(model),
        "--length",
        "1000",
        "--count",
        "10000000",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "stopped by Ctrl-C\n")


def test_files_never_take_the_place_of_a_closed_output(model: Path, tmp_path: Path) -> None:
    source = tmp_path / "text.txt"
    source.write_text("abcacbbca")
    command = f"exec {sys.executable} -m unrolled.cli.main predict {model} {source} --out {tmp_path}/answers.jsonl"
    done = subprocess.run(["sh", "-c", f"{command} >&- 2>&- <&-"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert all(json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines())


def test_messages_that_nobody_can_read_stop_nothing() -> None:
    command = [sys.executable, "-m", "unrolled.cli.main", "info", "no-model"]
    with open("/dev/full" if Path("/dev/full").exists() else os.devnull, "w") as nowhere:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=nowhere, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
