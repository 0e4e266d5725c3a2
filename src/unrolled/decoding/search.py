"""Greedy search and sampling: one hypothesis for each sentence, many sentences at once.

What is decoded is known only by a step function, `step(tokens, state, shared) -> (logits, state)`: `state` has a row
for each hypothesis and moves on; `shared` has a row for each sentence, such as what an encoder said of it, and stays.
A sentence that is done leaves the batch, so that the work shrinks as sentences end.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from unrolled.decoding.paths import Hypothesis, Paths
from unrolled.decoding.sampling import probabilities
from unrolled.decoding.scores import advance, forced_scores
from unrolled.decoding.sentences import Prefix, SearchStep, begin
from unrolled.nn.unroll import map_state


def greedy(
    step: SearchStep,
    state: Any,
    shared: Any,
    start: int | Tensor,
    end: int,
    max_length: int | Tensor | Sequence[int],
    prefix: Prefix | None = None,
    trace: Callable[[Any], Any] | None = None,
) -> list[Hypothesis]:
    """Take the likeliest token at every step; of equally likely ones the lowest.

    Args:
        step: tokens (B,), the state and `shared` to logits or log-probabilities (B, V) and the next state; -inf = the
            token cannot come.
        state: before the first step, a tree (tensors, tuples, NamedTuples, None) of one row for each sentence.
        shared: what a sentence's steps read, a tree of one row for each sentence; None = nothing.
        start: the token read first; one for all, or (B,).
        end: the token that ends an answer.
        max_length: steps at most, the end counted; one for all, or (B,).
        prefix: tokens that each answer begins with, one Ragged or list of lists; they count to the log-probability.
        trace: what to remember of the state after each step, a tree of one row for each row of the state.

    Returns:
        one hypothesis for each sentence.

    Raises:
        ShapeError: not one row or entry for each sentence.
        OptionError: an illegal length, end or prefix.
        DataError: NaN or +inf among the logits.

    Example:
        >>> import torch
        >>> def count_down(tokens, state, shared):
        ...     return torch.eye(10)[(tokens - 1).clamp(min=0)] * 99, state
        >>> answers = greedy(count_down, None, None, start=torch.tensor([3, 5]), end=0, max_length=4)
        >>> [(answer.tokens, answer.finished) for answer in answers]
        [([2, 1], True), ([4, 3, 2, 1], False)]
    """
    return _follow(lambda scores: scores.argmax(1), step, state, shared, start, end, max_length, prefix, trace)


def sample_sequences(
    step: SearchStep,
    state: Any,
    shared: Any,
    start: int | Tensor,
    end: int,
    max_length: int | Tensor | Sequence[int],
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
    prefix: Prefix | None = None,
    trace: Callable[[Any], Any] | None = None,
) -> list[Hypothesis]:
    """Draw every token; see `greedy` for all that is not named here.

    All sentences draw from one generator: their distribution does not depend on who shares the batch, the draws do.

    Args:
        step, state, shared, start, end, max_length, prefix, trace: see `greedy`.
        temperature, top_k, top_p: see `unrolled.decoding.sampling.probabilities`.
        generator: the source of randomness, for repeatable answers.

    Returns:
        one hypothesis for each sentence; its log-probability is the model's, before temperature, top_k and top_p.

    Raises:
        OptionError, ShapeError, DataError: as `greedy`, and for illegal options of sampling.

    Example:
        >>> import torch
        >>> coin = lambda tokens, state, shared: (torch.zeros(len(tokens), 3), state)
        >>> generator = torch.Generator().manual_seed(0)
        >>> answers = sample_sequences(coin, torch.zeros(3, 1), None, 0, 0, max_length=5, generator=generator)
        >>> [len(answer.tokens) <= 5 for answer in answers]
        [True, True, True]
    """

    def draw(scores: Tensor) -> Tensor:
        shares = probabilities(scores, temperature, top_k, top_p)  # (B, V)
        return torch.multinomial(shares, 1, generator=generator).squeeze(1)

    probabilities(torch.zeros(1, 1), temperature, top_k, top_p)  # refuses illegal options even if nothing is drawn
    return _follow(draw, step, state, shared, start, end, max_length, prefix, trace)


@torch.no_grad()
def _follow(
    choose: Callable[[Tensor], Tensor],
    step: SearchStep,
    state: Any,
    shared: Any,
    start: int | Tensor,
    end: int,
    max_length: int | Tensor | Sequence[int],
    prefix: Prefix | None,
    trace: Callable[[Any], Any] | None,
) -> list[Hypothesis]:
    """One hypothesis for each sentence, every token as `choose` says from log-probabilities (B, V)."""
    tokens, sentences = begin(state, shared, start, end, max_length, prefix)
    size, paths, time = len(tokens), Paths(), 0
    rows = torch.arange(size, device=tokens.device)  # (B,) where each stands in the step before
    totals = torch.zeros(size, dtype=torch.float64, device=tokens.device)  # (B,) log-probabilities

    def stop(which: Tensor, finished: bool) -> None:
        paths.stop(sentences.ids[which], rows[which], totals[which], totals[which], finished)

    going = sentences.limits > 0
    stop(~going, finished=False)
    while bool(going.any()):
        if not bool(going.all()):
            kept = going.nonzero().squeeze(1)
            tokens, rows, totals, state = map_state(partial(_take, kept), (tokens, rows, totals, state))
            sentences = sentences.keep(kept)
        live = torch.ones_like(tokens, dtype=torch.bool)
        scores, stuck, state = advance(step, tokens, state, sentences, live, end, time)
        forced, given = sentences.forced_at(time)
        taken = forced_scores(scores, given, forced, sentences, time)
        if bool(stuck.any()):
            stop(stuck, finished=False)
            scores = scores.masked_fill(stuck[:, None], 0)  # any token will do, since it is not kept
        tokens = torch.where(forced, given, choose(scores))
        totals = totals + torch.where(forced, taken, scores.gather(1, tokens[:, None]).squeeze(1))
        ended = (tokens == end) & ~stuck
        stop(ended, finished=True)
        here = torch.arange(len(tokens), device=tokens.device)
        paths.grow(rows, here, tokens, None if trace is None else trace(state))
        rows, time = here, time + 1
        capped = (sentences.limits <= time) & ~ended & ~stuck
        stop(capped, finished=False)
        going = ~(ended | stuck | capped)
    return [answers[0] for answers in paths.hypotheses(size, 1)]


def _take(rows: Tensor, field: Tensor) -> Tensor:
    return field[rows]
