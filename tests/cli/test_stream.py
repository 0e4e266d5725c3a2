"""`unrolled stream`: events in, answers out, from pipes and growing files, with bad lines, kills and restarts."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from unrolled.cli.lines import lines
from unrolled.cli.main import make_app
from unrolled.cli.output import BROKEN_PIPE
from unrolled.errors import ArtifactError, DataError, OptionError, StoreUnavailable
from unrolled.tasks.language.language_model import LanguageModel

TEXT = "the cat sat on the mat and the dog sat on the cat. "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model") / "m"
    LanguageModel(hidden_size=8, dropout=0.0).fit(TEXT * 20, epochs=1).save(place)
    return place


@pytest.fixture(scope="module")
def stream(folder):
    return LanguageModel.load(folder).stream()


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


def started(*words: object) -> subprocess.Popen[str]:
    """A fresh process that reads what we write and answers line by line."""
    command = [sys.executable, "-m", "unrolled.cli.main", "stream", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env={**os.environ, "COLUMNS": "120"}
    )


def write(path: Path, events: list) -> Path:
    path.write_text("".join(f"{event if isinstance(event, str) else json.dumps(event)}\n" for event in events))
    return path


def event(user, text, **more):
    return {"user": user, "text": text, **more}


def alone(stream, events, user):
    """The answers of a stream that nobody shares."""
    state, answers = None, []
    for one in events:
        if one["user"] == user:
            answer, state = stream.step(one["text"], state)
            answers.append(answer)
    return answers


def same(one, other) -> bool:
    """Equal but for what sharing a batch changes in the last digits."""
    if isinstance(one, float):
        return one == pytest.approx(other, abs=1e-5)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def test_every_event_is_answered_in_order_with_a_state_for_each_key(folder, stream, tmp_path, capsys):
    events = [event(f"u{place % 3}", TEXT[place % 40 : place % 40 + 3]) for place in range(90)]
    call("stream", folder, write(tmp_path / "log.jsonl", events), "--key", "user")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["user"] for row in rows] == [one["user"] for one in events]
    for user in ("u0", "u1", "u2"):
        got = [row["answer"] for row in rows if row["user"] == user]
        assert all(map(same, got, alone(stream, events, user)))
        assert len(got) == 30


def test_bad_lines_are_named_and_the_stream_goes_on(folder, tmp_path, capsys):
    bad = {
        2: '{"user": "a", "text": ',
        3: "[1, 2]",
        4: '{"text": "no user"}',
        5: '{"user": 1.5, "text": "a"}',
        6: '{"user": "a", "text": {"a": 7}}',
        7: '{"user": "a", "txt": "a"}',
        8: '{"user": "a", "text": NaN}',
        9: '{"user": "", "text": "a"}',
        10: '{"user": "\\ud800", "text": "a"}',
        11: "[" * 100_000,
        12: '{"user": "' + "x" * 600 + '", "text": "a"}',
    }
    path = write(tmp_path / "log.jsonl", [event("a", "the"), *bad.values(), "", event(17, "cat")])
    with pytest.raises(DataError, match="11 that cannot"):
        call("stream", folder, path, "--key", "user")
    out, err = capsys.readouterr()
    assert [json.loads(line)["user"] for line in out.splitlines()] == ["a", 17]
    named = err.splitlines()
    assert len(named) == len(bad)
    for number, line in zip(bad, named, strict=True):
        assert line.startswith(f"error: line {number}: ")
        assert len(line) < 1000


def test_bytes_that_are_no_text_are_a_bad_line(folder, tmp_path, capsys):
    (tmp_path / "log.jsonl").write_bytes(b'{"user": "a", "text": "\xff"}\n\x00\n{"user": "a", "text": "the"}')
    with pytest.raises(DataError, match="2 that cannot"):
        call("stream", folder, tmp_path / "log.jsonl", "--key", "user")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_strict_stops_at_the_first_bad_line_and_steps_nothing_after_it(folder, stream, tmp_path, capsys):
    path = write(tmp_path / "log.jsonl", [event("a", "the"), event("b", {"a": 7}), event("c", "the")])
    address = f"sqlite:///{tmp_path}/s.db"
    with pytest.raises(DataError, match="line 2"):
        call("stream", folder, path, "--key", "user", "--strict", "--store", address)
    assert len(capsys.readouterr().out.splitlines()) == 1
    from unrolled.streaming.stores.registry import open_store

    store = open_store(address)
    assert store.keys(10, [stream.fingerprint]) == ["a"]
    store.close()


def test_the_exit_code_of_bad_lines_is_two(folder):
    process = started(folder, "--key", "user")
    out, err = process.communicate('{"user": "a", "text": "the"}\nno event\n', timeout=60)
    assert process.returncode == 2
    assert len(out.splitlines()) == 1
    assert "line 2" in err
    assert "Traceback" not in err


def test_with_a_store_a_later_run_goes_on(folder, stream, tmp_path, capsys):
    events = [event("a", "the ca"), event("a", "t sat")]
    for one in events:
        path = write(tmp_path / "log.jsonl", [one])
        call("stream", folder, path, "--key", "user", "--store", f"sqlite:///{tmp_path}/s.db")
    rows = [json.loads(line)["answer"] for line in capsys.readouterr().out.splitlines()]
    assert all(map(same, rows, alone(stream, events, "a")))


def test_a_log_that_is_read_again_is_answered_again_and_changes_nothing(folder, tmp_path, capsys):
    path = write(
        tmp_path / "log.jsonl", [event("a", word, id=place) for place, word in enumerate(["the", " cat", " sat"])]
    )
    outs = []
    for _ in range(2):
        call("stream", folder, path, "--key", "user", "--event-id", "id", "--store", f"sqlite:///{tmp_path}/s.db")
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1]
    assert [json.loads(line)["id"] for line in outs[0].splitlines()] == [0, 1, 2]


def test_an_answer_comes_before_the_next_line_is_written(folder):
    process = started(folder, "--key", "user")
    for word in ("the", " cat"):
        process.stdin.write(json.dumps(event("a", word)) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["user"] == "a"
    process.stdin.close()
    assert process.wait(30) == 0
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_followed_file_with_everything_answered(folder, tmp_path, number):
    path = write(tmp_path / "log.jsonl", [event("a", "the")])
    process = started(folder, path, "--key", "user", "--follow", "--store", f"sqlite:///{tmp_path}/s.db")
    assert process.stdout.readline()
    with path.open("a") as file:
        file.write(json.dumps(event("a", " cat"))[:9])
        file.flush()
        time.sleep(0.3)  # half a line is waited for
        file.write(json.dumps(event("a", " cat"))[9:] + "\n")
    assert process.stdout.readline()
    write(tmp_path / "new", [event("b", "a new file")])
    os.replace(tmp_path / "new", path)
    assert json.loads(process.stdout.readline())["user"] == "b"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err


def test_a_reader_that_leaves_ends_the_stream_quietly(folder, tmp_path):
    path = write(tmp_path / "log.jsonl", [event(f"u{place}", "the") for place in range(5000)])
    process = started(folder, path, "--key", "user")
    process.stdout.readline()
    process.stdout.close()
    process.stdin.close()
    assert "Traceback" not in process.stderr.read()
    assert process.wait(60) == BROKEN_PIPE
    process.stderr.close()


def test_a_line_too_long_to_be_an_event_is_skipped(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("unrolled.cli.lines.LONGEST", 1000)
    monkeypatch.setattr("unrolled.cli.lines.AT_ONCE", 300)
    path = write(
        tmp_path / "log.jsonl", [event("a", "the"), event("a", "x" * 5000), event("a", " cat"), event("a", "y" * 990)]
    )
    with pytest.raises(DataError, match="2 that cannot"):
        call("stream", folder, path, "--key", "user")
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert ["line 2" in err, "line 3" in err, "line 4" in err] == [True, False, True]


@pytest.mark.parametrize("at_once", [1, 2, 7, 64, 1000])
def test_lines_are_whole_however_they_are_read(tmp_path, monkeypatch, at_once):
    monkeypatch.setattr("unrolled.cli.lines.LONGEST", 20)
    monkeypatch.setattr("unrolled.cli.lines.AT_ONCE", at_once)
    given = [b"one", b"", b"x" * 20, b"y" * 21, b"two", b"z" * 500, b"", b"last"]
    (tmp_path / "log").write_bytes(b"\n".join(given))
    found = [line for some in lines(str(tmp_path / "log"), follow=False) for line in some]
    assert found == [(number, None if len(line) > 20 else line) for number, line in enumerate(given, 1)]


def test_mistakes_on_the_command_line_are_named(folder, tmp_path):
    path = write(tmp_path / "log.jsonl", [event("a", "the")])
    with pytest.raises(DataError, match="missing"):
        call("stream", folder, tmp_path / "missing", "--key", "user")
    with pytest.raises(OptionError, match="did you mean 'sqlite'"):
        call("stream", folder, path, "--key", "user", "--store", "sqlit:///a")
    with pytest.raises(OptionError, match="precision"):
        call("stream", folder, path, "--key", "user", "--precision", "float12")
    with pytest.raises(OptionError, match="ttl"):
        call("stream", folder, path, "--key", "user", "--ttl", "0")
    with pytest.raises(ArtifactError):
        call("stream", tmp_path, path, "--key", "user")
    with pytest.raises(StoreUnavailable):
        call("stream", folder, path, "--key", "user", "--store", "redis://127.0.0.1:1?patience=0")


def test_the_address_of_a_store_comes_from_a_file_or_the_environment(folder, tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "log.jsonl", [event("a", "the")])
    (tmp_path / "store").write_text(f"sqlite:///{tmp_path}/file.db\n")
    call("stream", folder, path, "--key", "user", "--store-file", tmp_path / "store")
    monkeypatch.setenv("UNROLLED_STORE", f"sqlite:///{tmp_path}/environment.db")
    call("stream", folder, path, "--key", "user")
    assert (tmp_path / "file.db").exists()
    assert (tmp_path / "environment.db").exists()
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(OptionError, match="--store-file"):
        call("stream", folder, path, "--key", "user", "--store-file", tmp_path / "empty")


def test_a_password_on_the_command_line_is_warned_of_and_not_shown(folder, tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "log.jsonl", [event("a", "the")])
    address = "redis://someone:hunter2@127.0.0.1:1/0?patience=0"
    monkeypatch.setattr("sys.argv", ["unrolled", f"--store={address}"])
    with pytest.raises(StoreUnavailable) as fault:
        call("stream", folder, path, "--key", "user", "--store", address)
    said = capsys.readouterr().err
    assert "UNROLLED_STORE" in said
    assert "hunter2" not in said + str(fault.value)


def test_a_log_whose_events_are_numbered_counts_once_however_long_it_is(folder, tmp_path, capsys):
    rows = [event("a", "the"[row % 3], id=row) for row in range(100)]
    path, address = write(tmp_path / "log.jsonl", rows), f"sqlite:///{tmp_path}/s.db"
    call("stream", folder, path, "--key", "user", "--event-id", "id", "--store", address)
    assert len(capsys.readouterr().out.splitlines()) == 100
    with pytest.raises(DataError, match="36 that cannot"):
        call("stream", folder, path, "--key", "user", "--event-id", "id", "--store", address)
    again = capsys.readouterr()
    assert len(again.out.splitlines()) == 64
    assert "line 1: event_id: expected a number above 35, received 0" in again.err


def test_a_store_that_goes_away_stops_the_stream_at_a_named_line(folder, tmp_path, capsys):
    import sqlite3

    path, base = write(tmp_path / "log.jsonl", [event("a", "the")]), tmp_path / "s.db"
    call("stream", folder, path, "--key", "user", "--store", f"sqlite:///{base}")
    holder = sqlite3.connect(base, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="stopped at line 1"):
        call("stream", folder, path, "--key", "user", "--store", f"sqlite:///{base}?patience=0.1")
    holder.close()


def test_a_model_that_reads_whole_sequences_is_refused(tmp_path, monkeypatch):
    from unrolled.errors import UnsupportedError

    class Whole:
        def stream(self):
            raise UnsupportedError("a Translator reads the whole source")

    monkeypatch.setattr("unrolled.tasks.registry.load", lambda folder: Whole())
    before = threading.active_count()
    with pytest.raises(UnsupportedError, match="whole"):
        call("stream", "m", write(tmp_path / "log.jsonl", []), "--key", "user")
    assert threading.active_count() == before
