"""TensorBoard files, on request."""

import builtins
import sys

import pytest

from training.toy import Dealt, examples, shorten, train
from unrolled.errors import OptionError
from unrolled.training.progress import ProgressLine


def test_tensorboard_files_hold_the_history(tmp_path):
    pytest.importorskip("tensorboard")
    trainer, _ = train(tensorboard=str(tmp_path), validate=Dealt(examples(3), 3), epochs=3)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    points = events.Scalars("row/validation_loss")
    assert [point.step for point in points] == trainer.history.column("update")
    assert [point.value for point in points] == pytest.approx(trainer.history.column("validation_loss"), rel=1e-6)


def test_without_the_package_the_error_names_the_extra(tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if "tensorboard" in name and "unrolled" not in name:
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(OptionError, match=r"pip install 'unrolled\[track\]'"):
        train(tensorboard=str(tmp_path))


def screen_of(clock, **options):
    """Return what a terminal shows of a run of six updates, each of which takes a second."""
    from io import StringIO

    from rich.console import Console

    from unrolled.training.callbacks import Callback

    class Slow(Callback):
        def on_update(self, trainer):
            clock[0] += 1.0

    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120, _environ={"TERM": "xterm"})
    train(callbacks=[Slow(), ProgressLine(console, **options)], epochs=2)
    return screen.getvalue()


def test_a_line_that_was_not_asked_for_appears_after_seconds_of_training(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("unrolled.training.trainer.time.perf_counter", lambda: clock[0])
    assert screen_of(clock, after=60.0) == ""
    late = screen_of(clock, after=4.0)
    assert "epoch 2" in late
    assert "epoch 1  update" not in late


def test_a_pipe_stays_empty_and_a_terminal_does_not(monkeypatch):
    from rich.console import Console

    from unrolled.training import progress
    from unrolled.training.options import TrainingOptions
    from unrolled.training.reporters import reporters

    assert reporters(TrainingOptions()) == []
    monkeypatch.setattr(progress, "Console", lambda stderr: Console(stderr=stderr, force_terminal=True))
    (line,) = reporters(TrainingOptions())
    assert line.after == 5.0
    assert reporters(TrainingOptions(progress=False)) == []
    (asked,) = reporters(TrainingOptions(progress=True))
    assert asked.after == 0.0


def test_a_run_without_a_length_shows_how_long_ago_its_best_was_found(monkeypatch):
    from io import StringIO

    from rich.console import Console

    shorten(monkeypatch)
    monkeypatch.setattr("unrolled.training.progress.REFRESH", 0.0)
    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120, _environ={"TERM": "xterm"})
    train(callbacks=[ProgressLine(console)], epochs=0, validate=lambda: 1.0)
    text = screen.getvalue()
    assert "updates ago" in text
    assert "update 10 " in text
    assert "left" not in text


def test_on_a_terminal_one_line_shows_loss_pace_and_time_left():
    from io import StringIO

    from rich.console import Console

    screen = StringIO()
    console = Console(file=screen, force_terminal=True, width=120, _environ={"TERM": "xterm"})
    train(callbacks=[ProgressLine(console)], epochs=2)
    text = screen.getvalue()
    assert "loss 0." in text
    assert "steps/s" in text
    assert "left" in text
    assert "epoch 1  update 3" in text
    assert "epoch 2/2" in text
    assert "epoch 3/2" not in text
