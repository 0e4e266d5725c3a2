"""Training an encoder-decoder with attention compared with the same network in plain torch.nn, interleaved, as ratios.

Both read the same pairs of unequal lengths, with the same optimiser. The peer pads, as most code does, and gets the
same batches of pairs of similar length; in another row it gets pairs in random order, as from a plain DataLoader. Each
is timed in float32 and, if the processor supports it natively, under autocast to bfloat16, which `Translator` uses by
default and plain code does not. Seconds are CPU time, since other programs may share the machine.

Run: python bench/translation.py [--rounds 3] [--threads 1] [--hidden 256]
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
from unrolled.kernels.host import fast_bfloat16
from unrolled.nn.decoder import AttendingDecoder
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged

PAIRS, ROWS, V, START = 1280, 64, 4000, 3999
IGNORED = -100


def pairs() -> Batch:
    """Pairs with the lengths of sentences: around 18, with a long tail; the target is about as long as the source."""
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
    decoder = AttendingDecoder(V, encoder.memory_size, encoder.summary_size, hidden, hidden, positions=True)
    return EncoderDecoder(encoder, decoder)


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
    """A batch in the form that the peer needs."""
    source, tokens, targets = batch.sources["source"], batch.inputs["target"], batch.targets
    assert isinstance(source, Ragged)
    assert isinstance(tokens, Ragged)
    assert isinstance(targets, Ragged)
    return source.padded(), source.mask(), tokens.padded(), targets.padded(IGNORED)


def epoch_of_ours(net: EncoderDecoder, batches: Sequence[Batch], half: bool) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)

    def run() -> None:
        for batch in batches:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                result = net.loss(batch)
            (result.total / result.count).backward()
            optimizer.step()

    return run


def epoch_of_plain(net: Plain, batches: Sequence[Batch], half: bool) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(net.parameters(), fused=True)
    ready = [padded(batch) for batch in batches]

    def run() -> None:
        for source, mask, tokens, targets in ready:
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = net(source, mask, tokens)
                loss = cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED)
            loss.backward()
            optimizer.step()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--hidden", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    examples = pairs()
    alike = list(Buckets(examples, ROWS).epoch(0))
    mixed = [examples.select(rows) for rows in torch.randperm(PAIRS).split(ROWS)]
    runs: dict[str, Callable[[], None]] = {}
    for kind in ("float32", "bfloat16") if fast_bfloat16() else ("float32",):
        half = kind == "bfloat16"
        runs[f"ours, {kind}"] = epoch_of_ours(ours(options.hidden), alike, half)
        runs[f"torch.nn, the same batches, {kind}"] = epoch_of_plain(Plain(options.hidden), alike, half)
        runs[f"torch.nn, random batches, {kind}"] = epoch_of_plain(Plain(options.hidden), mixed, half)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(options.rounds + 1):
        for name, run in runs.items():
            begin = time.process_time()
            run()
            if round_:  # the first round compiles and warms up
                seconds[name].append((time.process_time() - begin) / options.threads)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    print(f"{PAIRS} pairs, {ROWS} per batch, H={options.hidden}, {options.threads} threads")
    for name, own in medians.items():
        ratios = "".join(f"{own / mine:8.2f}" for other, mine in medians.items() if other.startswith("ours"))
        print(f"{name:38} {PAIRS / own:7.0f} pairs/s   speed of ours relative to it:{ratios}")


if __name__ == "__main__":
    main()
