"""TensorBoard files, on request."""

import builtins
import sys

import pytest

from training.toy import Dealt, examples, train
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
