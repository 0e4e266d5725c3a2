"""Training through `fit` beside the same network in a bare torch loop, interleaved in one run.

Run: python bench/throughput.py [--rounds 3]
"""

import argparse
import itertools
import statistics
import time

import torch
from torch import nn

import unrolled as ur
from unrolled.training.seeds import seed_everything

HIDDEN, LANES, STEPS, CHARACTERS = 256, 32, 64, 32 * 64 * 40


def through_fit(text: str) -> float:
    """Characters a second of `LanguageModel.fit`, training alone, in float32."""
    seen: list[float] = []

    class Clock(ur.Callback):
        def on_update(self, trainer: object) -> None:
            seen.append(time.perf_counter())

    options = {"batch_size": LANES, "bptt_steps": STEPS, "epochs": 1, "validation": 0.0, "precision": "float32"}
    ur.LanguageModel(hidden_size=HIDDEN, dropout=0.0).fit(text, baselines=False, callbacks=[Clock()], **options)
    return LANES * STEPS / statistics.median(b - a for a, b in itertools.pairwise(seen))


def bare_loop(text: str) -> float:
    """The same network and optimiser in the plainest torch loop."""
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
        outputs, state = layer(embedding(ids[start : start + STEPS]), state)
        targets = ids[start + 1 : start + STEPS + 1]
        loss = nn.functional.cross_entropy(head(outputs)[: len(targets)].flatten(0, 1), targets.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        state = tuple(field.detach() for field in state)
        seen.append(time.perf_counter())
    return LANES * STEPS / statistics.median(b - a for a, b in itertools.pairwise(seen))


def main() -> None:
    """Print both and their ratio, the median over rounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    generator = torch.Generator().manual_seed(0)
    text = "".join(chr(97 + int(place)) for place in torch.randint(0, 26, (CHARACTERS,), generator=generator))
    pairs = [(through_fit(text), bare_loop(text)) for _ in range(rounds)]
    fit, bare = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    print(f"LSTM {HIDDEN}, {LANES} x {STEPS} characters: fit {fit:,.0f}/s, bare torch loop {bare:,.0f}/s")
    print(f"ratio {ratio:.3f}, the median of {rounds} rounds")


if __name__ == "__main__":
    main()
