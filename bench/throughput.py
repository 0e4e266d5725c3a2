"""Training with `fit` compared with the same network in a bare torch loop and in Keras's `fit`, interleaved in one run.

Run: python bench/throughput.py [--rounds 3]
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from peers import keras_on_jax, missing
from torch import nn

import unrolled as ur
from unrolled.kernels.cpu.machine import host
from unrolled.training.seeds import seed_everything

HIDDEN, LANES, STEPS, CHARACTERS = 256, 32, 64, 32 * 64 * 40


def through_fit(text: str, precision: str) -> float:
    """Characters per second of `LanguageModel.fit`, for training only."""
    seen: list[float] = []

    class Clock(ur.Callback):
        def on_update(self, trainer: object) -> None:
            seen.append(time.perf_counter())

    options = {"batch_size": LANES, "bptt_steps": STEPS, "epochs": 1, "validation": 0.0, "precision": precision}
    ur.LanguageModel(hidden_size=HIDDEN, dropout=0.0).fit(text, baselines=False, callbacks=[Clock()], **options)
    return LANES * STEPS / statistics.median(b - a for a, b in itertools.pairwise(seen))


def bare_loop(text: str, precision: str) -> float:
    """The same network and optimiser in a minimal torch loop."""
    seed_everything(0)
    alphabet = sorted(set(text))
    index = {character: place for place, character in enumerate(alphabet)}
    ids = torch.tensor([index[character] for character in text]).view(LANES, -1).t()  # (T, B)
    size = len(alphabet) + 2
    embedding, layer, head = nn.Embedding(size, 128), nn.LSTM(128, HIDDEN), nn.Linear(HIDDEN, size)
    weights = [*embedding.parameters(), *layer.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=4e-3, fused=True)
    state, seen = None, []
    for start in range(0, len(ids) - STEPS, STEPS):
        targets = ids[start + 1 : start + STEPS + 1]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            outputs, state = layer(embedding(ids[start : start + STEPS]), state)
            logits = head(outputs)[: len(targets)]
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        state = tuple(field.detach() for field in state)
        seen.append(time.perf_counter())
    return LANES * STEPS / statistics.median(b - a for a, b in itertools.pairwise(seen))


def keras_fit(text: str) -> float:
    """The same network and optimiser through Keras's own `fit`, the state carried from window to window."""
    keras = keras_on_jax()
    alphabet = sorted(set(text))
    index = {character: place for place, character in enumerate(alphabet)}
    ids = np.array([index[character] for character in text], dtype=np.int32).reshape(LANES, -1)  # (B, T)
    windows = range(0, ids.shape[1] - STEPS, STEPS)
    inputs = np.concatenate([ids[:, start : start + STEPS] for start in windows])
    targets = np.concatenate([ids[:, start + 1 : start + STEPS + 1] for start in windows])
    size = len(alphabet) + 2
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(LANES, STEPS), dtype="int32"),
            keras.layers.Embedding(size, 128),
            keras.layers.LSTM(HIDDEN, return_sequences=True, stateful=True),
            keras.layers.Dense(size),
        ]
    )
    optimizer = keras.optimizers.AdamW(4e-3, global_clipnorm=1.0)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    options = {"batch_size": LANES, "shuffle": False, "verbose": 0}
    model.fit(inputs[: 4 * LANES], targets[: 4 * LANES], **options)  # compiles
    start = time.perf_counter()
    model.fit(inputs, targets, **options)
    return inputs.size / (time.perf_counter() - start)


def main() -> None:
    """Print all and our ratios, the median over rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    generator = torch.Generator().manual_seed(0)
    text = "".join(chr(97 + int(place)) for place in torch.randint(0, 26, (CHARACTERS,), generator=generator))
    precisions = ["float32", *["bfloat16"] * host().has_pairs]
    contestants: dict[str, Callable[[], float]] = {}
    for precision in precisions:
        contestants |= {
            f"fit, {precision}": partial(through_fit, text, precision),
            f"bare torch loop, {precision}": partial(bare_loop, text, precision),
        }
    if "Keras with JAX" not in missing():
        contestants["Keras fit, float32"] = partial(keras_fit, text)
    rates = [{name: run() for name, run in contestants.items()} for _ in range(rounds)]
    print(f"LSTM {HIDDEN}, {LANES} x {STEPS} characters, the median of {rounds} rounds; ratios of fit to each:")
    for name in contestants:
        row = f"{name:26} {statistics.median(turn[name] for turn in rates):9,.0f} characters/s"
        for precision in precisions:
            ratio = statistics.median(turn[f"fit, {precision}"] / turn[name] for turn in rates)
            row += f"   fit, {precision}: {ratio:.2f}" * (not name.startswith("fit"))
        print(row)


if __name__ == "__main__":
    main()
