"""Decoding many sentences at once compared with one by one, interleaved in one run, as ratios.

First a small GRU with attention and random weights; its end token becomes more likely with every step, so that
sentences end at different times, as in practice. Then `Translator.predict`, with everything around the search, of a
model that was trained to reverse strings.

Run: python bench/decoding.py [--sentences 1000] [--beam 5] [--rounds 3] [--threads 2]
"""

import argparse
import random
import statistics
import string
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.decoding.beam import beam_search
from unrolled.decoding.options import AnswerBounds, SearchOptions
from unrolled.decoding.paths import Hypothesis
from unrolled.tasks.seq2seq.translator import Translator

VOCABULARY, HIDDEN, SOURCE, LIMIT, START, END = 200, 128, 20, 30, 0, 1


class Decoder(nn.Module):
    """One step: a GRU that reads a token and its attention context."""

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

    def search(rows: slice, size: int = beam_size) -> list[list[Hypothesis]]:
        state = (hidden[rows], torch.zeros(len(hidden[rows])))
        return beam_search(decoder, state, encoded[rows], AnswerBounds(START, END, LIMIT), SearchOptions(size))

    def follow(rows: slice) -> list[list[Hypothesis]]:
        return search(rows, 1)

    def one_by_one(run: Callable[[slice], list[list[Hypothesis]]]) -> list[list[Hypothesis]]:
        return [run(slice(row, row + 1))[0] for row in range(sentences)]

    everything = slice(0, sentences)
    return {
        f"beam {beam_size}, at once": lambda: search(everything),
        f"beam {beam_size}, one by one": lambda: one_by_one(search),
        "greedy, at once": lambda: follow(everything),
        "greedy, one by one": lambda: one_by_one(follow),
    }


def translators(sentences: int, beam_size: int) -> dict[str, Callable[[], list[str]]]:
    """The same with `Translator.predict`."""
    draw = random.Random(0)
    texts = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(1, 20))) for _ in range(2000 + sentences)]
    learnt, asked = texts[:2000], texts[2000:]
    model = Translator(hidden_size=HIDDEN, dropout=0.0)
    model.fit(learnt, [text[::-1] for text in learnt], epochs=5, learning_rate=3e-3, baselines=False)
    return {
        f"Translator, beam {beam_size}, at once": lambda: model.predict(asked, beam_size),
        f"Translator, beam {beam_size}, one by one": lambda: [model.predict([text], beam_size)[0] for text in asked],
    }


def compare(ways: Mapping[str, Callable[[], list[Any]]], rounds: int) -> dict[str, list[Any]]:
    """Print sentences per second, the median over rounds, and the speed-up of all at once; return the answers."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    answers: dict[str, list[Any]] = {}
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            answers[name] = run()
            seconds[name].append(time.perf_counter() - start)
    names = list(ways)
    for together, alone in zip(names[::2], names[1::2], strict=True):
        ratio = statistics.median(b / a for a, b in zip(seconds[together], seconds[alone], strict=True))
        pairs = list(zip(answers[together], answers[alone], strict=True))
        for name in (together, alone):
            rate = len(pairs) / statistics.median(seconds[name])
            print(f"{name:34} {rate:9,.0f} sentences/s" + f"   {ratio:.1f} times" * (name == together))
        print(f"{'':34} {sum(_best(a) == _best(b) for a, b in pairs)} of {len(pairs)} answers are the same")
    return answers


def _best(answer: Any) -> Any:
    """The tokens of the best hypothesis, or the text."""
    return answer if isinstance(answer, str) else answer[0].tokens


def main() -> None:
    """Compare, and print how long the answers are."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--beam", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.sentences} sentences, {options.threads} threads; the median of {options.rounds} rounds:")
    for make in (contestants, translators):
        answers = compare(make(options.sentences, options.beam), options.rounds)
        lengths = [len(_best(answer)) for answer in next(iter(answers.values()))]
        mean = statistics.mean(lengths)
        print(f"{'':34} answers of {min(lengths)} to {max(lengths)} tokens, {mean:.1f} on average")


if __name__ == "__main__":
    main()
