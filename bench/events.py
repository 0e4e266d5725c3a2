"""Event logs at scale: training compared with the same network and loss in plain torch, interleaved, as ratios; and the
cost of a catalogue of a million items in memory, in training and in a top-10 answer.

The peer reads the same sessions as most code does: whole sessions in random order, padded, through nn.GRU, with the
same sampled softmax, sparse gradients and SparseAdam. A second peer is the same code on batches of sessions of similar
length, with hardly any padding.

Run: python bench/events.py [--events 10000000] [--items 10000,100000,1000000] [--rounds 5] [--threads 1]
"""

import argparse
import math
import resource
import statistics
import time
from collections.abc import Iterator

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

import unrolled as ur
from unrolled.arrangements.next_item import NextItem
from unrolled.data.batching import Lanes
from unrolled.nn.event_reader import EventReader
from unrolled.nn.item_vectors import ItemVectors
from unrolled.nn.stack import Stack
from unrolled.training.bptt import detach
from unrolled.training.clipping import clip_gradients
from unrolled.training.optimizers import make_optimizer
from unrolled.training.options import TrainingOptions
from unrolled.training.sparse import gradient_values

HIDDEN, WIDTH, DRAWN = 128, 64, 1024
LANES, STEPS = 128, 32
TIMED = 20  # updates in each timing
TOP = 10


def log_of(events: int, items: int, seed: int = 0) -> pl.DataFrame:
    """Sessions of 2 to 60 events, items by Zipf's law, the next one often the neighbour of the last one's number."""
    draw = np.random.default_rng(seed)
    sizes = np.clip(draw.lognormal(2.0, 0.8, events // 8).astype(np.int64), 2, 60)
    sizes = sizes[: np.searchsorted(np.cumsum(sizes), events)]
    count = int(sizes.sum())
    popular = np.exp(draw.random(count) * math.log(items)).astype(np.int64) - 1
    popular[::3] = (np.roll(popular, 1)[::3] + 1) % items
    users = np.repeat(np.arange(len(sizes)), sizes)
    times = 1_700_000_000 + np.arange(count) * 3
    return pl.DataFrame({"user": users, "item": popular, "time": times})


class Plain(nn.Module):
    """The network of `Recommender`, with torch.nn on padded sessions."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = items
        self.table = nn.Embedding(items + 2, WIDTH, sparse=True)
        self.bias = nn.Embedding(items + 2, 1, sparse=True)
        nn.init.normal_(self.table.weight, std=WIDTH**-0.5)
        nn.init.zeros_(self.bias.weight)
        self.gru = nn.GRU(WIDTH, HIDDEN, batch_first=True)
        self.query = nn.Linear(HIDDEN, WIDTH)

    def forward(self, before: Tensor, after: Tensor, mask: Tensor) -> Tensor:
        hidden, _ = self.gru(self.table(before))
        asked = self.query(hidden[mask])
        true = after[mask]
        drawn = torch.unique(
            (torch.rand(DRAWN) * math.log(self.items + 1)).exp().long().sub(1).clamp_(0, self.items - 1)
        )
        own = (asked * self.table(true)).sum(1) + self.bias(true)[:, 0] - self._expected(true)
        rivals = asked @ self.table(drawn).T + self.bias(drawn)[:, 0] - self._expected(drawn)
        rivals = rivals.masked_fill(true[:, None] == drawn, -1e9)
        return nn.functional.cross_entropy(torch.cat([own[:, None], rivals], 1), torch.zeros_like(true))

    def _expected(self, items: Tensor) -> Tensor:
        share = torch.log1p(1 / (items.float() + 1)) / math.log(self.items + 1)
        return torch.log(-torch.expm1(DRAWN * torch.log1p(-share)))


def plain_batches(items: Tensor, lengths: Tensor, start: int, alike: bool) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Whole sessions in random order, or grouped by length, padded; as many events as our lanes hold."""
    rows = max(1, round(LANES * STEPS / float(lengths.float().mean())))
    sessions = items.split(lengths.tolist())
    while True:
        batches = list((torch.argsort(lengths) if alike else torch.randperm(len(sessions))).split(rows))
        for place in torch.randperm(len(batches)).tolist():
            chosen = batches[place]
            some = [sessions[row] for row in chosen.tolist()]
            after = nn.utils.rnn.pad_sequence(some, batch_first=True, padding_value=-1)
            before = torch.cat([torch.full((len(some), 1), start), after[:, :-1].clamp(min=0)], 1)
            yield before, after, after >= 0


def fresh(items: int, log: pl.DataFrame) -> tuple[NextItem, Lanes]:
    """Our network, and the lanes it reads."""
    task = ur.Recommender(loss="sampled_softmax", hidden_size=HIDDEN, embedding_size=WIDTH, dropout=0.0)
    task._learn(ur.as_source(log))
    examples = task._encode(ur.as_source(log))
    model = NextItem(
        EventReader(ItemVectors(items, WIDTH, sparse=True)),
        Stack(WIDTH, HIDDEN, "gru"),
        "sampled_softmax",
        DRAWN,
    ).train()
    return model, Lanes(examples, LANES, STEPS)


def trained_ours(items: int, log: pl.DataFrame) -> Iterator[tuple[float, int]]:
    """Seconds and events of TIMED updates, repeatedly."""
    model, lanes = fresh(items, log)
    optimizer = make_optimizer(model, TrainingOptions(learning_rate=1e-3))
    batches, state = _forever(lanes), None
    while True:
        start, events = time.perf_counter(), 0
        for _ in range(TIMED):
            batch = next(batches)
            result = model.loss(batch, state if batch.carries else None)
            (result.total / result.count).backward()
            state = detach(result.state)
            clip_gradients(gradient_values(model.parameters()), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            events += int(result.count)
        yield time.perf_counter() - start, events


def loss_share(items: int, log: pl.DataFrame) -> float:
    """Share of the loss over the sampled items in a forward and backward pass: everything except reading."""
    model, lanes = fresh(items, log)
    batch = next(iter(lanes.epoch(0)))
    seconds: dict[str, list[float]] = {"whole": [], "reading": []}
    for _ in range(9):
        for name, spent in seconds.items():
            start = time.perf_counter()
            total = model.loss(batch).total if name == "whole" else model(batch)[0].values.sum()
            total.backward()
            spent.append(time.perf_counter() - start)
            model.zero_grad()
    whole, reading = (statistics.median(spent) for spent in seconds.values())
    return 1 - reading / whole


def _forever(lanes: Lanes) -> Iterator:
    epoch = 0
    while True:
        yield from lanes.epoch(epoch)
        epoch += 1


def trained_plain(items: int, log: pl.DataFrame, alike: bool) -> Iterator[tuple[float, int]]:
    """The same of the peer."""
    lengths = torch.from_numpy(log.group_by("user", maintain_order=True).len()["len"].to_numpy().astype(np.int64))
    values = torch.from_numpy(log["item"].to_numpy().copy())
    model = Plain(items).train()
    tables = [*model.table.parameters(), *model.bias.parameters()]
    dense = [*model.gru.parameters(), *model.query.parameters()]
    optimizers = [torch.optim.AdamW(dense, lr=1e-3, fused=True), torch.optim.SparseAdam(tables, lr=1e-3)]
    batches = plain_batches(values, lengths, items + 1, alike)
    while True:
        start, events = time.perf_counter(), 0
        for _ in range(TIMED):
            before, after, mask = next(batches)
            model(before, after, mask).backward()
            nn.utils.clip_grad_norm_(dense, 1.0)
            for optimizer in optimizers:
                optimizer.step()
                optimizer.zero_grad()
            events += int(mask.sum())
        yield time.perf_counter() - start, events


def answered(items: int, queries: int) -> float:
    """Milliseconds of one call that finds the exact top 10 of a catalogue for some users."""
    from unrolled.decoding.retrieval import best_items

    vectors = ItemVectors(items, WIDTH)
    asked = torch.randn(queries, WIDTH)
    seconds = []
    with torch.no_grad():
        for _ in range(7):
            start = time.perf_counter()
            best_items(vectors.score, asked, items, TOP)
            seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def memory() -> float:
    """Peak memory of this process, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--items", default="10000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(
        f"{options.threads} thread(s); {TIMED} updates of {LANES * STEPS} events per timing, median of {options.rounds}"
    )
    heads = ("items", "ours, events/s", "plain", "alike", "ratios", "loss's share", "top-10, ms", "256 at once, ms")
    print("".join(f"{head:>16}" for head in heads))
    for items in map(int, options.items.split(",")):
        log = log_of(min(options.events, 1_000_000), items)
        runs = {
            "ours": trained_ours(items, log),
            "plain": trained_plain(items, log, alike=False),
            "alike": trained_plain(items, log, alike=True),
        }
        pace: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            next(run)  # compile, allocate
        for _ in range(options.rounds):
            for name, run in runs.items():
                seconds, events = next(run)
                pace[name].append(events / seconds)
        mine, its, theirs = (statistics.median(pace[name]) for name in runs)
        one, many, share = answered(items, 1), answered(items, 256), loss_share(items, log)
        ratios = f"{mine / its:.2f}, {mine / theirs:.2f}"
        print(
            f"{items:>16,}{mine:>16,.0f}{its:>16,.0f}{theirs:>16,.0f}{ratios:>16}{share:>16.0%}{one:>16.1f}{many:>16.1f}",
            flush=True,
        )
    largest = max(map(int, options.items.split(",")))
    start = time.perf_counter()
    log = log_of(options.events, largest)
    took = time.perf_counter() - start
    print(f"\n{log.height:,} events, {largest:,} items: generated in {took:.0f} s, {memory():.1f} GB")
    start = time.perf_counter()
    task = ur.Recommender(time="time", loss="sampled_softmax", dropout=0.0)
    task.fit(log, minutes=2, baselines=False, validation=0.01)
    last = task.history_.rows[-1]
    print(f"reading and two minutes of training: {time.perf_counter() - start:.0f} s, {memory():.1f} GB")
    print(f"{last.epoch:.2f} epochs, {last.steps_per_second:,.0f} events/s, loss {last.train_loss:.3f}")
    some = log.head(1000)
    start = time.perf_counter()
    answers = task.predict(some, k=TOP)
    took = time.perf_counter() - start
    print(f"predict: {some['user'].n_unique()} users, {answers.height:,} rows in {took:.2f} s")


if __name__ == "__main__":
    main()
