"""Every example runs as a user runs it, reaches its score, and saves its picture.

Examples that train for longer are cut short after a few updates in the default run, where they need only to end, print
and save a picture; they reach their scores in `make test-slow`.
"""

import importlib
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unrolled.training import trainer
from unrolled.training.callbacks import Callback
from unrolled.training.reporters import reporters

EXAMPLES = Path(__file__).parents[1] / "examples"

# name, the least or the most that its score may be
BOUNDS = {
    "echo": (0.99, 1.0),
    "david": (0.97, 1.0),
    "running_sum": (0.97, 1.0),
    "moving_square": (0.99, 1.0),
    "speakers": (0.85, 1.0),
    "voices": (0.9, 1.0),
    "captions": (0.9, 1.0),  # of combinations that training knows
    "sums": (0.9, 1.0),  # of numbers of two digits, after a few epochs
    "next_product": (0.95, 1.0),  # how often the last item comes first; Markov chains have 0.05
    "next_place": (0.75, 1.0),  # accuracy; the user's most frequent place has 0.4
    "rectangles": (0.85, 1.0),  # share of rectangles among what is drawn; a random walk has none
    "damped_sine": (0.0, 0.6),  # error as a share of repeating the last value
    "weather": (0.0, 0.8),  # MASE; the seasonal naive has 0.95
    "strokes": (-20.0, -2.0),  # nats a point, less those of the best Gaussian; after a few epochs
    "characters": (0.0, 2.7),  # nats after one epoch; frequencies alone have 3.23
}

FEWER: dict[str, dict[str, int]] = {
    "characters": {"epochs": 1},
    "strokes": {"epochs": 6},
    "sums": {"digits": 2, "epochs": 6},
}


LONG = BOUNDS.keys() - {"david"}
UPDATES = 5


class Brief(Callback):
    """Ends a training after a few updates."""

    def on_update(self, run: trainer.Trainer) -> None:
        if run.at.update >= UPDATES:
            run.stop()


def run(name: str, picture: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """The score of an example, run as a user runs it."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module(name).main(seed=0, out=picture, **FEWER.get(name, {}))


def test_every_example_is_tested() -> None:
    programs = {path.stem for path in EXAMPLES.glob("*.py")} - {"example", "demo"}
    assert programs == set(BOUNDS)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in BOUNDS]
)
@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")  # reviews hold words of their own
def test_an_example_reaches_its_score(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / f"{name}.png"
    low, high = BOUNDS[name]
    assert low <= run(name, picture, monkeypatch) <= high
    assert picture.stat().st_size > 5000
    assert "scored" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(LONG))
def test_a_long_example_ends_prints_its_scores_and_saves_its_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / f"{name}.png"
    monkeypatch.setattr(trainer, "reporters", lambda options: [*reporters(options), Brief()])
    assert math.isfinite(run(name, picture, monkeypatch))
    assert picture.stat().st_size > 5000
    assert "scored" in capsys.readouterr().out


def test_an_example_explains_itself() -> None:
    words = [sys.executable, str(EXAMPLES / "echo.py"), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, env=dict(os.environ), check=True)
    assert "five random numbers, one-hot" in done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 110
