"""Step functions that look their logits up in a table by all that came before: exact, and the same in any batch."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

PLACES = 97
START = 0


class Memory(NamedTuple):
    """What came before, as a number for each row."""

    code: Tensor  # (R,)
    nothing: None


class Table:
    """Random logits that depend on the sentence and on every token before.

    Args:
        vocabulary: V.
        seed: of the logits.
        scale: large = the model is sure.
        barred: share of the tokens that cannot come; a third as often, none can.
    """

    def __init__(self, vocabulary: int, seed: int = 0, scale: float = 2.0, barred: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        shape = (PLACES, vocabulary)
        self.logits = scale * torch.randn(*shape, generator=generator, dtype=torch.float64)
        self.logits[torch.rand(*shape, generator=generator) < barred] = -torch.inf
        self.logits[torch.rand(PLACES, generator=generator) < barred / 3] = -torch.inf
        self.vocabulary = vocabulary
        self.rows_seen: list[int] = []

    def state(self, size: int) -> Memory:
        return Memory(torch.zeros(size, dtype=torch.int64), None)

    def shared(self, sentences: Sequence[int]) -> tuple[Tensor, None]:
        """What tells sentences apart."""
        return torch.tensor(sentences, dtype=torch.int64)[:, None], None

    def step(self, tokens: Tensor, state: Memory, shared: tuple[Tensor, None]) -> tuple[Tensor, Memory]:
        self.rows_seen.append(len(tokens))
        assert len(tokens) == len(state.code)
        assert len(tokens) % len(shared[0]) == 0
        sentence = shared[0].squeeze(1).repeat_interleave(len(tokens) // len(shared[0]))
        code = (state.code * 31 + tokens * 7 + sentence * 13 + 5) % PLACES
        return self.logits[code], Memory(code, None)

    def log_probabilities(self, sentence: int, tokens: Sequence[int]) -> list[float]:
        """Of every next token, after some tokens; -inf throughout where none can come."""
        code = 0
        for token in (START, *tokens):
            code = (code * 31 + token * 7 + sentence * 13 + 5) % PLACES
        row = self.logits[code].tolist()
        if max(row) == -math.inf:
            return row
        return self.logits[code].log_softmax(0).tolist()


class Answer(NamedTuple):
    """What the oracles give."""

    tokens: tuple[int, ...]
    score: float
    log_probability: float
    finished: bool


def scored(tokens: Sequence[int], log_probability: float, finished: bool, alpha: float) -> Answer:
    length = len(tokens) + finished
    return Answer(tuple(tokens), log_probability / ((5 + length) / 6) ** alpha, log_probability, finished)


def every_answer(
    table: Table, sentence: int, end: int, limit: int, alpha: float, prefix: Sequence[int] = ()
) -> list[Answer]:
    """All sequences of the tree, finished ones first, best first: by looking at each."""
    others = [token for token in range(table.vocabulary) if token != end]

    def total(tokens: Sequence[int]) -> float:
        return sum(table.log_probabilities(sentence, tokens[:place])[token] for place, token in enumerate(tokens))

    def all_of(length: int) -> Iterator[tuple[int, ...]]:
        free = length - len(prefix)
        return ((*prefix, *rest) for rest in itertools.product(others, repeat=free)) if free >= 0 else iter(())

    answers = [
        scored(tokens, total((*tokens, end)), True, alpha) for length in range(limit) for tokens in all_of(length)
    ]
    answers += [scored(tokens, total(tokens), False, alpha) for tokens in all_of(limit)]
    possible = [answer for answer in answers if answer.log_probability > -math.inf]
    return sorted(possible, key=lambda answer: (not answer.finished, -answer.score))


def plain_beam(
    table: Table, sentence: int, end: int, limit: int, beam_size: int, alpha: float, prefix: Sequence[int] = ()
) -> list[Answer]:
    """Beam search of one sentence with lists, in the words of the rule; all of the beam is asked for."""
    live: list[tuple[tuple[int, ...], float]] = [((), 0.0)]
    finished: list[Answer] = []
    stopped: list[Answer] = []
    for time in range(limit):
        candidates = []
        for tokens, total in live:
            row = table.log_probabilities(sentence, tokens)
            if max(row) == -math.inf:
                stopped.append(scored(tokens, total, False, alpha))
            choices = [prefix[time]] if time < len(prefix) else range(table.vocabulary)
            candidates += [(tokens, token, total + row[token]) for token in choices if row[token] > -math.inf]
        candidates.sort(key=lambda candidate: -candidate[2])
        finished += [scored(t, total, True, alpha) for t, token, total in candidates[:beam_size] if token == end]
        live = [((*t, token), total) for t, token, total in candidates if token != end][:beam_size]
        tops = sorted((answer.score for answer in finished), reverse=True)[:beam_size]
        hope = max((total for _, total in live), default=-math.inf) / ((5 + limit) / 6) ** alpha
        done = len(finished) >= beam_size and (beam_size == 1 or hope <= tops[-1])
        if done or not live:
            live = []
            break
    stopped += [scored(tokens, total, False, alpha) for tokens, total in live]
    ranked = sorted(finished, key=lambda answer: -answer.score)
    return ranked + sorted(stopped, key=lambda answer: -answer.score)
