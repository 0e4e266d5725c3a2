"""Training an attending encoder-decoder beside the same network written plainly with torch.nn, interleaved, as ratios.

Both read the same pairs of unequal lengths, with one optimiser. The peer pads, as most code does, and is dealt the same
batches of pairs of like length; a second row deals it pairs in random order, which is what a plain DataLoader does.

Run: python bench/translation.py [--rounds 5] [--threads 2] [--hidden 256]
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.arrangements.encoders import RecurrentEncoder
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.data.batching import Buckets
from unrolled.nn.decoder import AttendingDecoder
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

PAIRS, ROWS, V, START = 1280, 64, 4000, 3999
IGNORED = -100


def pairs() -> Batch:
    """Pairs as sentences come: lengths around 18, a long tail, the target about as long as the source."""
    torch.manual_seed(0)
    reads = (torch.randn(PAIRS) * 0.6 + 2.9).exp().clamp(2, 100).long()
    writes = (reads * (1 + 0.2 * torch.randn(PAIRS))).clamp(2, 110).long()
    source = Ragged(torch.randint(V, (int(reads.sum()),)), reads)
    targets = Ragged(torch.randint(V - 1, (int(writes.sum()),)), writes)
    before = Ragged.from_sequences([torch.cat([torch.tensor([START]), row[:-1]]) for row in targets])
    return Batch({"target": before}, {}, targets, sources={"source": source})


def ours(hidden: int) -> EncoderDecoder:
    """The network of `Translator`, without dropout."""
    encoder = RecurrentEncoder(
        InputLayer({"source": Spec("index", V, hidden)}), Stack(hidden, hidden, bidirectional=True)
    )
    return EncoderDecoder(encoder, AttendingDecoder(V, encoder.memory_size, encoder.summary_size, hidden, hidden))


class Plain(nn.Module):
    """The same with torch.nn on padded batches."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.read = nn.Embedding(V, hidden)
        self.write = nn.Embedding(V, hidden)
        self.encoder = nn.LSTM(hidden, hidden, batch_first=True, bidirectional=True)
        self.bottom = nn.LSTM(hidden, hidden, batch_first=True)
        self.top = nn.LSTM(3 * hidden, hidden, batch_first=True)
        self.key = nn.Linear(2 * hidden, hidden, bias=False)
        self.start = nn.Linear(4 * hidden, 4 * hidden)
        self.readout = nn.Linear(3 * hidden, hidden)
        self.bias = nn.Parameter(torch.zeros(V))

    def forward(self, source: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
        memory, _ = self.encoder(self.read(source))  # (B, S, 2H)
        last = memory[torch.arange(len(memory)), mask.sum(1) - 1]
        parts = self.start(torch.cat([last, memory[:, 0]], 1)).tanh().chunk(4, 1)
        h0, c0, h1, c1 = (part[None].contiguous() for part in parts)
        asked, _ = self.bottom(self.write(tokens), (h0, c0))  # (B, T, H)
        scores = asked @ self.key(memory).transpose(1, 2) * asked.shape[2] ** -0.5
        context = scores.masked_fill(~mask[:, None], -torch.inf).softmax(2) @ memory  # (B, T, 2H)
        hidden, _ = self.top(torch.cat([asked, context], 2), (h1, c1))
        readout = self.readout(torch.cat([hidden, context], 2)).tanh()
        return readout @ self.write.weight.T + self.bias


def padded(batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A batch as the peer takes it."""
    source, tokens, targets = batch.sources["source"], batch.inputs["target"], batch.targets
    assert isinstance(source, Ragged)
    assert isinstance(tokens, Ragged)
    assert isinstance(targets, Ragged)
    return source.padded(), source.mask(), tokens.padded(), targets.padded(IGNORED)


def epoch_of_ours(net: EncoderDecoder, batches: Sequence[Batch]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)

    def run() -> None:
        for batch in batches:
            optimizer.zero_grad()
            result = net.loss(batch)
            (result.total / result.count).backward()
            optimizer.step()

    return run


def epoch_of_plain(net: Plain, batches: Sequence[Batch]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    ready = [padded(batch) for batch in batches]

    def run() -> None:
        for source, mask, tokens, targets in ready:
            optimizer.zero_grad()
            logits = net(source, mask, tokens)
            cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED).backward()
            optimizer.step()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--hidden", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    examples = pairs()
    alike = list(Buckets(examples, ROWS).epoch(0))
    mixed = [examples.select(rows) for rows in torch.randperm(PAIRS).split(ROWS)]
    runs = {
        "ours": epoch_of_ours(ours(options.hidden), alike),
        "torch.nn, the same batches": epoch_of_plain(Plain(options.hidden), alike),
        "torch.nn, random batches": epoch_of_plain(Plain(options.hidden), mixed),
    }
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(options.rounds + 1):
        for name, run in runs.items():
            begin = time.perf_counter()
            run()
            if round_:  # the first round compiles and warms up
                seconds[name].append(time.perf_counter() - begin)
    mine = statistics.median(seconds["ours"])
    print(f"{PAIRS} pairs, {ROWS} a batch, H={options.hidden}, {options.threads} threads")
    for name, times in seconds.items():
        own = statistics.median(times)
        print(f"{name:28} {PAIRS / own:7.0f} pairs/s   ours is {own / mine:.2f} times as fast")


if __name__ == "__main__":
    main()
