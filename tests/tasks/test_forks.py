"""A forked child works, or says in one sentence what to do; it never hangs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unrolled.data import forks
from unrolled.errors import UnsupportedError
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.registry import TASKS

PROGRAM = Path(__file__).with_name("forked.py")
TEXTS = [{"text": "ab" * (2 + row % 4), "y": str(row % 2)} for row in range(40)]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def said_by(*words: object) -> dict[str, str]:
    """What became of each child."""
    command = [sys.executable, "-W", "ignore", str(PROGRAM), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines())


def test_the_children_of_a_process_that_has_used_every_pool():
    said = said_by("SequenceModel")
    assert said.pop("torch") == "works"
    assert said.pop("SequenceModel.stream") == "works"
    assert set(said.values()) == {"says what to do"}
    assert len(said) == 4


def test_a_model_that_was_loaded_before_the_fork_answers_in_the_child(tmp_path):
    model = Classifier("text", hidden_size=4).fit(TEXTS, epochs=1, device="cpu", baselines=False)
    assert said_by("load", model.save(tmp_path / "model")) == {"loaded": "works"}


@pytest.mark.slow
def test_no_child_hangs_whatever_it_asks():
    said = said_by(*TASKS)
    assert {name.partition(".")[0] for name in said} == {"torch", *TASKS}
    ends = ("works", "says what to do", "answers: ")
    assert {name: end for name, end in said.items() if not end.startswith(ends)} == {}
    assert len(said) > 4 * len(TASKS)


def test_a_child_that_was_refused_once_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(forks, "_dead", [])
    monkeypatch.setattr(forks, "_untried", [True])
    monkeypatch.setattr(forks, "PATIENCE", 0.01)
    tried: list[bool] = []

    def hang() -> None:
        tried.append(True)
        released.wait(30)

    released = forks.threading.Event()
    monkeypatch.setattr(forks, "_sort", hang)
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="spawn"):
            forks.check_fork()
    released.set()
    assert tried == [True]
