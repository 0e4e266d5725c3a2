"""Decoding many sentences at once beside one by one, interleaved in one run, as ratios.

A small attending GRU of random weights; its ends grow likelier with every step, so that sentences end at unequal times,
as they do in use.

Run: python bench/decoding.py [--sentences 1000] [--beam 5] [--rounds 3] [--threads 2]
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from unrolled.decoding.beam import beam_search
from unrolled.decoding.paths import Hypothesis
from unrolled.decoding.search import greedy

VOCABULARY, HIDDEN, SOURCE, LIMIT, START, END = 200, 128, 20, 30, 0, 1


class Decoder(nn.Module):
    """One step: a GRU that reads a token and what it attends to."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.cell = nn.GRUCell(2 * HIDDEN, HIDDEN)
        self.output = nn.Linear(HIDDEN, VOCABULARY)
        nn.init.normal_(self.output.weight, std=0.5)

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor], encoded: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        hidden, steps = state  # (R, H), (R,)
        queries = hidden.view(len(encoded), -1, HIDDEN)  # (B, K, H)
        shares = (queries @ encoded.transpose(1, 2)).softmax(2)  # (B, K, S)
        context = (shares @ encoded).flatten(0, 1)  # (R, H)
        hidden = self.cell(torch.cat([self.embedding(tokens), context], 1), hidden)
        logits = self.output(hidden)  # (R, V)
        logits[:, END] += 0.5 * (steps - LIMIT / 2)  # ends become likely around half the limit
        return logits, (hidden, steps + 1)


def contestants(sentences: int, beam_size: int) -> dict[str, Callable[[], list[list[Hypothesis]]]]:
    """Ways to decode the same sentences, by name."""
    torch.manual_seed(0)
    decoder = Decoder().eval()
    hidden, encoded = torch.randn(sentences, HIDDEN), torch.randn(sentences, SOURCE, HIDDEN)

    def search(rows: slice) -> list[list[Hypothesis]]:
        state = (hidden[rows], torch.zeros(len(hidden[rows])))
        return beam_search(decoder, state, encoded[rows], START, END, LIMIT, beam_size)

    def follow(rows: slice) -> list[list[Hypothesis]]:
        state = (hidden[rows], torch.zeros(len(hidden[rows])))
        return [[answer] for answer in greedy(decoder, state, encoded[rows], START, END, LIMIT)]

    def one_by_one(run: Callable[[slice], list[list[Hypothesis]]]) -> list[list[Hypothesis]]:
        return [run(slice(row, row + 1))[0] for row in range(sentences)]

    everything = slice(0, sentences)
    return {
        f"beam {beam_size}, at once": lambda: search(everything),
        f"beam {beam_size}, one by one": lambda: one_by_one(search),
        "greedy, at once": lambda: follow(everything),
        "greedy, one by one": lambda: one_by_one(follow),
    }


def main() -> None:
    """Print sentences a second, the median over rounds, and how many times faster all at once is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    ways = contestants(options.sentences, options.beam)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, list[list[int]]] = {}
    for _ in range(options.rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            found = run()
            seconds[name].append(time.perf_counter() - start)
            answers[name] = [group[0].tokens for group in found]
    lengths = [len(tokens) for tokens in next(iter(answers.values()))]
    print(
        f"{options.sentences} sentences, answers of {min(lengths)} to {max(lengths)} tokens, "
        f"{statistics.mean(lengths):.1f} on average; the median of {options.rounds} rounds:"
    )
    names = list(ways)
    for together, alone in zip(names[::2], names[1::2], strict=True):
        ratio = statistics.median(b / a for a, b in zip(seconds[together], seconds[alone], strict=True))
        same = sum(a == b for a, b in zip(answers[together], answers[alone], strict=True))
        for name in (together, alone):
            rate = options.sentences / statistics.median(seconds[name])
            print(f"{name:22} {rate:9,.0f} sentences/s" + f"   {ratio:.1f} times" * (name == together))
        print(f"{'':22} {same} of {options.sentences} answers are the same")


if __name__ == "__main__":
    main()
