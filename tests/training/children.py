"""Programs that tests run in real processes of their own, to interrupt or kill them."""

import multiprocessing
import os
import signal
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch

from training.toy import Dealt, examples, resumable, train
from unrolled.training import checkpoints
from unrolled.training.callbacks import Callback

# the server imports torch once; every child is forked from it
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["unrolled.training.trainer"])


class Child:
    """A function in a process of its own, with a pipe to hear from it; its error stream goes to a file."""

    def __init__(self, function, folder: Path, *arguments) -> None:
        self.errors = folder / "errors.txt"
        self.pipe, other = CONTEXT.Pipe()
        self.process: ForkServerProcess = CONTEXT.Process(
            target=_run, args=(function, str(self.errors), other, folder, *arguments)
        )
        self.process.start()
        other.close()

    def hear(self) -> int | None:
        """The next thing it says; None when it has ended."""
        try:
            return self.pipe.recv()
        except EOFError:
            return None

    def end(self) -> int | None:
        """Wait for its end, and give the exit code: negative for a signal."""
        self.process.join(60)
        self.pipe.close()
        return self.process.exitcode

    def signal(self, number: int) -> None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


def _run(function, errors: str, pipe: Connection, *arguments) -> None:
    sys.stderr = open(errors, "a", buffering=1)  # noqa: SIM115 - until the process ends
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background would ignore it
    torch.set_num_threads(1)
    function(pipe, *arguments)


class Announce(Callback):
    """Says each update, slowly enough to be shot at."""

    def __init__(self, pipe: Connection, pause: float) -> None:
        self.pipe, self.pause = pipe, pause

    def on_update(self, trainer):
        self.pipe.send(trainer.at.update)
        time.sleep(self.pause)


def run_resumable(pipe: Connection, folder: Path, pause: float) -> None:
    _, kept = resumable(str(folder / "checkpoints"), [Announce(pipe, pause)], resume=True)
    torch.save(kept, folder / "weights.pt")


def run_endless(pipe: Connection, folder: Path, pause: float) -> None:
    validate = Dealt(examples(6, seed=9), 6, shuffle=False)
    trainer, kept = train(validate=validate, callbacks=[Announce(pipe, pause)], epochs=10**6)
    torch.save({"weights": kept, "history": trainer.history.to_json()}, folder / "result.pt")


def die_while_writing(pipe: Connection, folder: Path, moment: str) -> None:
    """Write one checkpoint, then be killed in the middle of another."""
    checkpoints.write_checkpoint(folder, 1, {"a": 1}, {"x": torch.ones(3)})

    def die(*arguments, **options):
        if moment == "save_file":
            Path(arguments[1]).write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(os if moment == "replace" else checkpoints, moment, die)
    checkpoints.write_checkpoint(folder, 2, {"a": 2}, {"x": torch.zeros(3)})
