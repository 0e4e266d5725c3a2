"""Exported networks compared with torch: differences of answers and states after many steps, and the time of a step.

The difference of torch's float32 and float64 shows the effect of rounding alone: an untrained LSTM with layer
normalisation is chaotic, so any two programs differ there.

Run: python bench/exports.py [--hidden 128] [--steps 512] [--rounds 5]
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from unrolled.arrangements.many_to_many import NextStep
from unrolled.batch import Batch
from unrolled.cells.registry import CELLS
from unrolled.codecs.base import Spec
from unrolled.export.numpy_folder import export_numpy
from unrolled.export.onnx_model import NEXT, export_onnx
from unrolled.export.runner import Model
from unrolled.nn.heads import NumberOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged
from unrolled.state import state_tensors

FEATURES, ROWS, LAYERS, TIMED = 16, 8, 2, 200


def a_network(cell: str, hidden: int) -> Any:
    torch.manual_seed(0)
    stack = Stack(FEATURES, hidden, cell, LAYERS)
    return NextStep(InputLayer({"x": Spec("vector", FEATURES)}), stack, NumberOutput(FEATURES)).eval()


def a_session(path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """The model in onnxruntime on one thread, and its empty state."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    given = {one.name: one for one in session.get_inputs()}
    start = {n: np.zeros((0, *one.shape[1:]), np.float32) for n, one in given.items() if n.startswith("state.")}
    return session, start


def of_torch(network: Any, values: np.ndarray) -> list[np.ndarray]:
    """Answers and final states."""
    inputs = Ragged(torch.from_numpy(values).flatten(0, 1), [values.shape[1]] * ROWS)
    with torch.no_grad():
        raw, state = network(Batch({"x": inputs}))
    return [raw.values.view(*values.shape[:2], -1).numpy(), *(field.numpy() for field in state_tensors(state))]


def apart(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def micros(step: Callable[[], Any]) -> float:
    """Time of one call, in microseconds."""
    start = time.perf_counter()
    for _ in range(TIMED):
        step()
    return (time.perf_counter() - start) / TIMED * 1e6


def measure(cell: str, hidden: int, steps: int, rounds: int, folder: Path) -> list[str]:
    network = a_network(cell, hidden)
    values = np.random.default_rng(0).normal(size=(ROWS, steps, FEATURES)).astype(np.float32)
    truth = of_torch(network, values)
    rounding = apart(of_torch(a_network(cell, hidden).double(), values.astype(np.float64)), truth)

    session, start = a_session(export_onnx(network, folder / f"{cell}.onnx"))
    names = ["answer", *(NEXT + name for name in start)]
    nowhere = {"lengths": np.zeros(0, np.int64)}
    of_onnx = session.run(names, {"x": values, **nowhere, **start})
    model = Model(export_numpy(network, folder / cell, {}))
    answers, after = model.run({"x": values})
    of_numpy = [answers, *after.values()]

    one = values[:1, 0]
    held = {name: np.zeros((1, *value.shape[1:]), np.float32) for name, value in start.items()}
    first, batch = network.initial_state(1), Batch({"x": Ragged(torch.from_numpy(one), [1])})

    def torch_step() -> None:
        with torch.no_grad():
            network.step(batch, first)

    found = [
        (micros(torch_step), micros(lambda: session.run(names, {"x": one[:, None], **nowhere, **held})),
         micros(lambda: model.step({"x": one}, held)))
        for _ in range(rounds)
    ]  # fmt: skip
    taken = [statistics.median(column) for column in zip(*found, strict=True)]
    errors = (rounding, apart(of_onnx, truth), apart(of_numpy, truth))
    return [cell, *(f"{error:.0e}" for error in errors), *(f"{value:.0f}" for value in taken)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--steps", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"{LAYERS} layers of {given.hidden}, {ROWS} rows of {given.steps} steps; one thread, medians of {given.rounds}"
    )
    print("| cell | torch's float64 | onnxruntime | NumPy | µs per step: torch | onnxruntime | NumPy |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for cell in CELLS:
            print("|", " | ".join(measure(cell, given.hidden, given.steps, given.rounds, Path(folder))), "|")


if __name__ == "__main__":
    main()
