"""Programs that save and load models in processes of their own, to be watched and killed."""

import multiprocessing
import time
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from unrolled.artifacts import CONFIG, read_model, write_model
from unrolled.errors import ArtifactError

CONTEXT = multiprocessing.get_context("forkserver")  # it imports torch once
CONTEXT.set_forkserver_preload(["unrolled.artifacts"])
SIZE = 20_000  # numbers in each tensor, so that writing takes a while


def write(folder: Path, number: int) -> None:
    """A model whose every part says the same number."""
    tensors = {f"part.{part}": torch.full((SIZE,), float(number)) for part in range(4)}
    record = {"task": "Toy", "number": number, "learnt": {"numbers": [number] * 2000}}
    write_model(folder, record, tensors, f"# {number}", {CONFIG: f"number = {number}"})


def number_of(folder: Path) -> int:
    """The number of a model; AssertionError where it is not one whole model."""
    record, tensors = read_model(folder)
    texts = {record["texts"]["README.md"][2:], record["texts"][CONFIG][9:]}
    found = {record["number"], *record["learnt"]["numbers"], *map(int, texts)}
    for tensor in tensors.values():
        assert tensor.shape == (SIZE,)
        found |= set(tensor.unique().int().tolist())
    assert len(tensors) == 4
    assert len(found) == 1, f"a mix of {found}"
    return found.pop()


def keep_saving(pipe: Connection, folder: Path, number: int, step: int, most: int) -> None:
    """Save `most` models, numbered by `step` from `number`; says each one before and after."""
    for saved in range(number, number + step * most, step):
        pipe.send(("begins", saved))
        try:
            write(folder, saved)
        except ArtifactError as fault:
            pipe.send(("failed", str(fault)))
            return
        pipe.send(("saved", saved))
    pipe.send(("done", number))


def keep_loading(pipe: Connection, folder: Path, most: int) -> None:
    """Load so many times; says the numbers."""
    found = []
    for _ in range(most):
        try:
            found.append(number_of(folder))
        except (ArtifactError, AssertionError) as fault:
            found.append(f"{type(fault).__name__}: {fault}")
        time.sleep(0.001)
    pipe.send(found)


class Process:
    """A function in a process of its own, with a pipe to hear from it."""

    def __init__(self, function, *arguments) -> None:
        self.pipe, other = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=function, args=(other, *arguments))
        self.process.start()
        other.close()

    def hear(self):
        """The next thing it says; None when it has ended."""
        try:
            return self.pipe.recv() if self.pipe.poll(60) else None
        except EOFError:
            return None

    def kill(self) -> list[tuple[str, int]]:
        """Kill it, and give all that it said before."""
        self.process.kill()
        return self.end()

    def end(self) -> list[tuple[str, int]]:
        """Wait for its end, and give all that it has still to say."""
        said = []
        while (one := self.hear()) is not None:
            said.append(one)
        self.process.join(60)
        self.pipe.close()
        return said
