"""Our kernels compared with torch's layers and, if installed, Keras and ONNX Runtime: interleaved runs, as ratios.

Every row times its contestants in turn, in several rounds, and compares medians, so that other programs affect all of
them in the same way. The ceiling is the float32 speed of the same threads from registers only (`ceiling.py`); products
in bfloat16 can reach twice that.

Run: python bench/kernels.py [--only WORD ...] [--rounds 9] [--threads 2] [--json FILE]
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ceiling import ceiling
from peers import keras_training, missing, onnx_session
from rich.console import Console
from rich.table import Table
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from unrolled.cells.base import Cell
from unrolled.cells.registry import make_cell
from unrolled.kernels.cpu.machine import host
from unrolled.kernels.cpu.step import Stepper
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

Contestants = dict[str, Callable[[], object]]
OURS = "tiles"
TORCH = {"lstm": "nn.LSTM", "gru": "nn.GRU", "elman": "nn.RNN"}
PATIENCE = 6.0  # seconds that one contestant of a row may take
REST = 0.1  # seconds between two contestants: ONNX Runtime's threads keep spinning for most of that
RANDOM = np.random.RandomState(0)
LOG_NORMAL = RANDOM.lognormal(3.5, 0.7, 32).astype(int).clip(4, 300).tolist()
UNIFORM = RANDOM.randint(100, 1000, 32).tolist()


class Batch:
    """The same sequences in the form that each contestant needs."""

    def __init__(self, lengths: list[int], features: int, gradient: bool) -> None:
        self.lengths = torch.tensor(lengths)
        values = torch.randn(sum(lengths), features)
        self.ragged = Ragged(values.clone().requires_grad_(gradient), self.lengths)
        self.padded = pad_sequence(list(values.split(lengths)))  # (T, B, F)
        self.packed = pack_padded_sequence(self.padded, self.lengths, enforce_sorted=False)
        self.mask = (torch.arange(max(lengths))[:, None] < self.lengths[None])[..., None]  # (T, B, 1)
        self.padded.requires_grad_(gradient)


def training(name: str, lengths: list[int], features: int, hidden_size: int) -> Contestants:
    """Forward and backward of the sum of squared outputs."""
    cell, batch = make_cell(name, features, hidden_size), Batch(lengths, features, gradient=True)
    layer = cell.to_torch()

    def ours() -> None:
        outputs, _ = unroll(cell, batch.ragged, kernel="tiles", want_state=False)
        (outputs.values**2).sum().backward()

    def padded() -> None:
        outputs, _ = layer(batch.padded)
        ((outputs * batch.mask) ** 2).sum().backward()

    def packed_() -> None:
        (layer(batch.packed)[0].data ** 2).sum().backward()

    contestants: Contestants = {OURS: ours, f"{TORCH[name]} padded": padded}
    if len(set(lengths)) > 1:
        contestants[f"{TORCH[name]} packed"] = packed_
    elif len(lengths) > 8:  # Keras has nothing to gain from the long rows
        contestants |= keras_training(name, batch.padded.detach().transpose(0, 1).numpy(), hidden_size)
    return contestants


def narrow(name: str, lengths: list[int], features: int, hidden_size: int) -> Contestants:
    """Training with bfloat16 products, compared with our float32 and torch's own bfloat16."""
    cell, batch = make_cell(name, features, hidden_size), Batch(lengths, features, gradient=True)
    layer = cell.to_torch()

    def ours(autocast: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            outputs, _ = unroll(cell, batch.ragged, kernel="tiles", want_state=False)
        (outputs.values**2).sum().backward()

    def theirs() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            outputs, _ = layer(batch.padded)
        ((outputs.float() * batch.mask) ** 2).sum().backward()

    return {OURS: lambda: ours(True), "our float32": lambda: ours(False), f"{TORCH[name]} in bfloat16": theirs}


def variant(name: str, lengths: list[int], features: int, hidden_size: int) -> Contestants:
    """A cell that torch has no layer for, compared with the loop over its steps, and our LSTM."""
    batch = Batch(lengths, features, gradient=True)

    def run(cell: Cell, kernel: str) -> Callable[[], None]:
        def once() -> None:
            outputs, _ = unroll(cell, batch.ragged, kernel=kernel, want_state=False)
            (outputs.values**2).sum().backward()

        return once

    cell = make_cell(name, features, hidden_size)
    plain = make_cell("lstm", features, hidden_size)
    return {OURS: run(cell, "tiles"), "loop of steps": run(cell, "reference"), "our LSTM": run(plain, "tiles")}


def inference(name: str, lengths: list[int], features: int, hidden_size: int) -> Contestants:
    """Whole sequences without gradients."""
    cell, batch = make_cell(name, features, hidden_size), Batch(lengths, features, gradient=False)
    layer = cell.to_torch()
    contestants: Contestants = {
        OURS: torch.no_grad()(lambda: unroll(cell, batch.ragged, kernel="tiles", want_state=False)),
        f"{TORCH[name]} padded": torch.inference_mode()(lambda: layer(batch.padded)),
    }
    session = onnx_session(cell)
    if session is not None:
        given = {"x": batch.padded.numpy(), "lengths": batch.lengths.numpy().astype(np.int32)}
        state = np.zeros((1, len(lengths), hidden_size), dtype=np.float32)
        contestants["onnxruntime"] = lambda: session.run(None, given | {"h": state, "c": state})
    return contestants


def stepping(name: str, streams: int, features: int, hidden_size: int) -> Contestants:
    """One step of a number of streams, called from Python."""
    cell = make_cell(name, features, hidden_size)
    stepper, inputs = Stepper(cell, streams), RANDOM.randn(streams, features).astype(np.float32)
    peer = getattr(torch.nn, f"{cell.torch_layer}Cell")(features, hidden_size)
    given, state = torch.from_numpy(inputs), [None]
    times = 200 if streams == 1 else 5

    def theirs() -> None:
        with torch.inference_mode():
            for _ in range(times):
                state[0] = peer(given, state[0])

    def ours() -> None:
        for _ in range(times):
            stepper.step(inputs)

    contestants: Contestants = {OURS: ours, f"{TORCH[name]}Cell": theirs}
    session = onnx_session(cell)
    if session is not None:
        zeros = np.zeros((1, streams, hidden_size), dtype=np.float32)
        whole = {"x": inputs[None], "lengths": np.ones(streams, dtype=np.int32), "h": zeros, "c": zeros}

        def runtime() -> None:
            for _ in range(times):
                session.run(None, whole)

        contestants["onnxruntime"] = runtime
    return contestants


def rows() -> dict[str, tuple[float, Callable[[], Contestants]]]:
    """Every row: its name, the multiply-adds of one run, and how to make its contestants."""
    found: dict[str, tuple[float, Callable[[], Contestants]]] = {}

    def add(kind: str, make: Callable[..., Contestants], name: str, lengths: list[int], f: int, h: int) -> None:
        passes = 1 if make is inference else 3
        work = passes * sum(lengths) * products(name, f, h)
        found[f"{kind} {name} B{len(lengths)} T{max(lengths)} I{f} H{h}"] = (
            work,
            lambda: make(name, lengths, f, h),
        )

    for name in TORCH:
        add("dense training", training, name, [100] * 32, 64, 128)
        add("dense training", training, name, [100] * 64, 128, 256)
        add("ragged training", training, name, LOG_NORMAL, 64, 128)
        for batch, steps in ((1, 1000), (4, 1000), (1, 10_000)):
            add("long training", training, name, [steps] * batch, 64, 64)
    add("ragged training", training, "lstm", UNIFORM, 64, 128)
    for name in (
        "lstm_layer_norm",
        "gru_layer_norm",
        "lstm_peephole",
        "lstm_projected",
        "min_gru",
        "min_lstm",
        "linear",
    ):
        add("variant training", variant, name, [100] * 32, 64, 128)
    if host().has_pairs:
        for name in TORCH:
            add("bfloat16 training", narrow, name, [100] * 64, 128, 256)
            add("bfloat16 training", narrow, name, [100] * 64, 256, 512)
    add("inference", inference, "lstm", LOG_NORMAL * 2, 64, 128)
    for name in TORCH:
        for streams, sizes in ((1, (64, 128, 256)), (64, (128,)), (1024, (128,))):
            for size in sizes:
                work = streams * products(name, 32, size) * (200 if streams == 1 else 5)
                found[f"step {name} of {streams} streams I32 H{size}"] = (
                    work,
                    lambda name=name, streams=streams, size=size: stepping(name, streams, 32, size),
                )
    return found


def products(name: str, features: int, hidden_size: int) -> int:
    """Multiply-adds of one step's matrix products."""
    return sum(weight.numel() for weight in make_cell(name, features, hidden_size).weights if weight.dim() == 2)


def medians(contestants: Contestants, rounds: int) -> dict[str, float]:
    """Seconds of each contestant: the median of the rounds, in which they take turns; slow ones sit some out."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 2):
        for name, run in contestants.items():
            if turn > 1 and sum(seconds[name]) > PATIENCE:
                continue
            time.sleep(REST)
            run()  # not counted: the caches are full of other data, and threads asleep
            start = time.perf_counter()
            run()
            if turn > 0:  # the first one warms up: compilation, caches, threads
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def main() -> None:
    """Time the chosen rows, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="rows whose names contain one of these words")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=0, help="0 = torch's own number")
    parser.add_argument("--json", type=Path, help="JSON file for all times, in seconds")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    limit = ceiling(threads)
    matrix = torch.randn(1536, 1536)
    product = 1536**3 / medians({"product": lambda: matrix @ matrix}, 7)["product"]
    limits = f"{2 * limit / 1e9:.0f} GFLOP/s from registers, {2 * product / 1e9:.0f} in a large product through torch"
    table = Table(title=f"{threads} threads, float32: {limits}")
    for peer in missing():
        print(f"{peer} is not installed and is left out; pip install -c constraints.txt -e '.[bench]' installs it")
    for heading in ("work", "ours", "of that", "against", "ratio"):
        table.add_column(heading, justify="left" if heading in ("work", "against") else "right")
    record: dict[str, dict[str, float]] = {"ceiling": {"multiply-adds a second": limit, "threads": threads}}
    for name, (work, make) in rows().items():
        if options.only and not any(word in name for word in options.only):
            continue
        times = medians(make(), options.rounds)
        record[name] = times
        ours = times.pop(OURS)
        peers = sorted(times.items(), key=lambda item: item[1])
        table.add_row(
            name,
            f"{ours * 1e3:.2f} ms",
            f"{work / ours / limit:.0%}",
            "\n".join(peer for peer, _ in peers),
            "\n".join(f"{seconds / ours:.2f}" for _, seconds in peers),
        )
        record[name][OURS] = ours
    Console(width=110).print(table)
    if options.json:
        options.json.write_text(json.dumps(record, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
