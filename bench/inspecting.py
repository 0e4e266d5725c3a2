"""Cost of measuring gradient flow, in training steps: an LSTM with T = 200, H = 128, B = 32, interleaved, medians.

Run: python bench/inspecting.py [--rounds 30] [--threads 1 2]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

from unrolled.batch import Batch, LossSum
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

STEPS, ROWS, FEATURES, HIDDEN = 200, 32, 64, 128


def squares(model: torch.nn.Module, batch: Batch) -> LossSum:
    """The sum of squared outputs."""
    return LossSum(model(batch.inputs["x"])[0].values.square().sum(), 1.0)


def contestants() -> dict[str, Callable[[], object]]:
    """A training step, a measurement of the norms only, and a full measurement."""
    torch.manual_seed(0)
    stack = Stack(FEATURES, HIDDEN, "lstm")
    batch = Batch({"x": Ragged(torch.randn(STEPS * ROWS, FEATURES), [STEPS] * ROWS)})
    optimizer = torch.optim.AdamW(stack.parameters())

    def train() -> None:
        optimizer.zero_grad()
        squares(stack, batch).total.backward()
        optimizer.step()

    return {
        "training step": train,
        "per-step norms": lambda: gradient_flow(stack, batch, loss=squares, detail=False),
        "with updates": lambda: gradient_flow(stack, batch, loss=squares, detail=False, optimizer=optimizer),
    }


def medians(rounds: int) -> dict[str, float]:
    """Seconds of each, wall clock; interleaved, so that other programs affect all of them in the same way."""
    work = contestants()
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 2):
        for name, one in work.items():
            start = time.perf_counter()
            one()
            if turn > 1:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in seconds.items()}


def main() -> None:
    """Print one line per number of threads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    for threads in options.threads:
        torch.set_num_threads(threads)
        found = medians(options.rounds)
        step = found.pop("training step")
        looks = ", ".join(f"{name} {seconds / step:.2f} steps" for name, seconds in found.items())
        print(f"{threads} threads: a training step {1e3 * step:.1f} ms; {looks}", flush=True)


if __name__ == "__main__":
    main()
