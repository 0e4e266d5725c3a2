"""Measurements that need a separate process: the first call ever, a later process, and memory.

Run: python bench/processes.py
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any

LENGTHS = (10_000, 30_000, 100_000)  # of one sequence whose stretches are computed again

START = """
import ctypes, json, resource, time, torch
from unrolled.cells.registry import make_cell
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

def resident():
    getattr(ctypes.CDLL(None), "malloc_trim", int)(0)  # not what the allocator keeps for the next tensors
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

torch.manual_seed(0)
"""

FIRST_CALL = """
cell, inputs = make_cell("lstm", 64, 128), Ragged(torch.randn(64, 64), torch.full((8,), 8))
start = time.perf_counter()
unroll(cell, inputs)[0].values.sum().backward()
with torch.no_grad():
    unroll(cell, inputs)
print(json.dumps(time.perf_counter() - start))
"""

TRAINING_PEAK = """
values = torch.randn(100, 64, 128)  # (T, B, F)
cell = make_cell("lstm", 128, 256)
layer, ragged = cell.to_torch(), Ragged(values.transpose(0, 1).reshape(-1, 128), torch.full((64,), 100))
small = Ragged(ragged.values[:100], torch.tensor([100]))
run = (lambda: unroll(cell, ragged)[0].values) if WAY == "tiles" else (lambda: layer(values)[0])
(unroll(cell, small)[0].values if WAY == "tiles" else layer(values[:, :1])[0]).sum().backward()
before = resident()
run().sum().backward()
print(json.dumps(peak() - before))
"""

LONG_PEAK = """
cell, inputs = make_cell("lstm", 64, 128), Ragged(torch.randn(STEPS, 64), torch.tensor([STEPS]))
small = Ragged(inputs.values[:50], torch.tensor([50]))
unroll(cell, small, recompute=WAY == "recompute")[0].values.sum().backward()
before, start = resident(), time.perf_counter()
outputs, _ = unroll(cell, inputs, recompute=WAY == "recompute")
kept = resident() - before - outputs.values.numel() * 4 / 2**20
outputs.values.sum().backward()
print(json.dumps([kept, peak() - before, time.perf_counter() - start]))
"""


def ask(program: str, way: str = "", steps: int = 0, **environment: str) -> Any:
    """Return the output of a program in a separate process."""
    code = f"{START}\nWAY, STEPS = {way!r}, {steps}\n{program}"
    answer = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=os.environ | environment
    )
    return json.loads(answer.stdout.splitlines()[-1])


def main() -> None:
    """Measure, and print one line per measurement."""
    with tempfile.TemporaryDirectory() as folder:
        first, later = (ask(FIRST_CALL, UNROLLED_CACHE_DIR=folder) for _ in range(2))
    print(f"LSTM, training and inference: first call ever {first:.2f} s (limit 15), later process {later:.3f} s (0.5)")
    tiles, torchs = (ask(TRAINING_PEAK, way) for way in ("tiles", "nn.LSTM"))
    print(f"peak memory of training, B64 T100 I128 H256: {tiles:.0f} MB, nn.LSTM {torchs:.0f} MB (the limit)")
    for steps in LENGTHS:
        kept, again = (ask(LONG_PEAK, way, steps) for way in ("keep", "recompute"))
        print(
            f"LSTM I64 H128, one sequence of {steps:,} steps: kept for the backward pass beside the outputs "
            f"{kept[0]:.0f} MB, with recompute {again[0]:.1f} MB (asked a twentieth); "
            f"peak {kept[1]:.0f} and {again[1]:.0f} MB; time {again[2] / kept[2]:.2f} of keeping"
        )


if __name__ == "__main__":
    main()
