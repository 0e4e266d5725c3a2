"""Beam search: the most probable answers, found by keeping the best few hypotheses of each sentence at every step.

The rule: the best K of all candidates for the next token are examined, and those that end have finished; the best K
that do not end continue. A sentence is done when K have finished and no live one can still become better than the
n_best best finished ones, when none is live, or at its limit; a beam of 1 is done at its first end. Thus a
beam of 1 is greedy search, and a beam as wide as the tree examines every answer. Live hypotheses all have the same
length and are compared by their log-probabilities; penalties rank those that stopped.

Sources: M. Ott et al., "fairseq: A Fast, Extensible Toolkit for Sequence Modeling", NAACL 2019, which stops as soon
as K have finished: with a small vocabulary those may all be short and unlikely; L. Huang, K. Zhao and M. Ma, "When to
Finish? Optimal Beam Search for Neural Text Generation", EMNLP 2017, section 3; `unrolled.decoding.penalties`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from unrolled.decoding.options import AnswerBounds, SearchOptions
from unrolled.decoding.paths import Hypothesis, Paths
from unrolled.decoding.penalties import Coverage, Penalties, length_divisor
from unrolled.decoding.scores import advance, best, forced_scores
from unrolled.decoding.sentences import SearchStep, Sentences, begin
from unrolled.pauses import pause
from unrolled.state import map_state


def beam_search(
    step: SearchStep,
    state: Any,
    shared: Any,
    bounds: AnswerBounds,
    options: SearchOptions = SearchOptions(),  # noqa: B008 (frozen)
    coverage: Coverage | None = None,
    trace: Callable[[Any], Any] | None = None,
) -> list[list[Hypothesis]]:
    """Search for the most probable answers of many sentences at once, each independently of the rest of the batch.

    Args:
        step: tokens (R,), a state of R rows and `shared` of B rows to logits or log-probabilities (R, V) and the next
            state. R is a multiple of B, the hypotheses of one sentence being adjacent; it may change between calls.
        state: the state before the first step, a tree (tensors, tuples, NamedTuples, None) with one row per sentence.
        shared: what all hypotheses of a sentence read, a tree with one row per sentence; it is not copied. bounds: the
        first token, the end, the maximum length and the prefix of the answers. options: size of the beam, number of
        answers and penalties. coverage: needed for a coverage penalty; maps the state (R rows) and `shared` (B rows) to
        attention summed over the steps so far, (R, S), and
            the mask of real source places, (B, S).
        trace: returns what to store of the state after each step, a tree with one row per row of the state.

    Returns:
        The answers of each sentence, best first. Those that reached their limit (`finished=False`) follow those
        that finished, and are given only if fewer than n_best did. There may be fewer than n_best.

    Raises:
        ShapeError: not one row or entry for each sentence.
        OptionError: an invalid size, length, penalty, end or prefix.
        DataError: NaN or +inf among the logits.

    Example:
        >>> import torch
        >>> chances = torch.tensor([[0.0, 0.6, 0.4], [0.3, 0.4, 0.3], [0.9, 0.1, 0.0]])  # of what follows which
        >>> def step(tokens, state, shared):
        ...     return chances[tokens].log(), state
        >>> bounds = AnswerBounds(start=torch.tensor([0]), end=0, max_length=5)
        >>> answers, = beam_search(step, None, None, bounds, SearchOptions(beam_size=2, n_best=2))
        >>> [(answer.tokens, round(answer.log_probability, 2)) for answer in answers]
        [([2], -1.02), ([1, 2], -1.82)]
    """
    penalties = Penalties(options.length_penalty, options.coverage_penalty, coverage)
    tokens, sentences = begin(state, shared, bounds.start, bounds.end, bounds.max_length, bounds.prefix)
    return _search(step, state, tokens, sentences, bounds.end, options, penalties, trace)


@torch.no_grad()
def _search(
    step: SearchStep,
    state: Any,
    tokens: Tensor,
    sentences: Sentences,
    end: int,
    options: SearchOptions,
    penalties: Penalties,
    trace: Callable[[Any], Any] | None,
) -> list[list[Hypothesis]]:
    """Search with checked arguments."""
    size, time, paths = len(tokens), 0, Paths()
    beam_size, n_best = options.beam_size, options.n_best
    # every sentence begins with one hypothesis, and has up to beam_size as soon as there are that many prefixes
    totals = torch.zeros(size, 1, dtype=torch.float64, device=tokens.device)  # (B, K) log-probabilities; -inf = none
    rows = _numbered(totals)  # (B, K) row of each among the new ones of the step before
    finished = torch.zeros_like(tokens)  # (B,) number of finished hypotheses
    tops = totals.new_full((size, n_best), -torch.inf)  # (B, n) the best scores of those

    def stop(which: Tensor, totals: Tensor, read: Tensor, rows: Tensor, length: int, finished: bool) -> Tensor:
        """Record the hypotheses where `which` (B, C) holds, at rows `read` of the state, and return their scores."""
        owners = which.nonzero()[:, 0]
        found = torch.full_like(totals, -torch.inf)  # (B, C)
        if len(owners):
            scores = penalties.scores(totals[which], length, read[which], state, sentences.shared)
            paths.stop(sentences.ids[owners], rows[which], totals[which], scores, finished)
            found[which] = scores
        return found

    going = sentences.limits > 0
    paths.stop(sentences.ids[~going], rows[~going, 0], totals[~going, 0], totals[~going, 0], finished=False)
    read = rows  # (B, K) row of the state that each continues
    while bool(going.any()):
        pause()
        kept = going.nonzero().squeeze(1)
        tokens, totals, rows, read, finished, tops = (
            part[kept] for part in (tokens, totals, rows, read, finished, tops)
        )
        state = map_state(partial(_take, read.flatten()), state)
        sentences = sentences.keep(kept)

        here = _numbered(totals)  # (B, K)
        live = totals > -torch.inf
        scores, stuck, state = advance(step, tokens.flatten(), state, sentences, live.flatten(), end, time)
        values, chosen, beams = _candidates(scores, totals, live & ~stuck.view_as(live), sentences, time, beam_size)
        read, old_rows = here.gather(1, beams), rows.gather(1, beams)  # (B, C)
        stop(stuck.view_as(live), totals, here, rows, time, finished=False)
        ends = chosen == end
        ended = ends & (values > -torch.inf)
        ended[:, beam_size:] = False  # only the best beam_size of all candidates may end
        scores = stop(ended, values, read, old_rows, time + 1, finished=True)
        finished, tops = finished + ended.sum(1), torch.cat([tops, scores], 1).topk(n_best, 1).values

        order = ends.byte().sort(dim=1, stable=True).indices[:, :beam_size]  # (B, K) those that continue, best first
        totals = values.masked_fill(ends, -torch.inf).gather(1, order)
        tokens, read = chosen.gather(1, order), read.gather(1, order)
        paths.grow(rows.flatten(), read.flatten(), tokens.flatten(), None if trace is None else trace(state))
        rows, time = _numbered(totals), time + 1
        live = totals > -torch.inf
        capped = sentences.limits <= time
        wanted = capped & (finished < n_best)
        stop(live & wanted[:, None], totals, read, rows, time, finished=False)
        # each further token lowers a log-probability, and no answer is longer than its limit
        hope = totals.amax(1) / length_divisor(sentences.limits, penalties.length)  # (B,)
        done = (finished >= beam_size) & ((hope <= tops[:, -1]) | (beam_size == 1))
        going = live.any(1) & ~done & ~capped
    return paths.hypotheses(size, n_best)


def _candidates(
    scores: Tensor, totals: Tensor, live: Tensor, sentences: Sentences, time: int, beam_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the next candidates, best first: log-probabilities, tokens, and the hypotheses they continue, (B, C) each.

    Twice the beam is enough: each hypothesis has one candidate that ends, so that at least half of these continue.
    """
    size, width = totals.shape
    forced, given = sentences.forced_at(time)
    taken = forced_scores(scores[::width], given, forced, sentences, time)  # under a prefix only the first one is live
    if width == 1 and bool(forced.all()):
        values, tokens = taken[:, None], given[:, None]  # (B, 1): the beam need not be wider yet
    else:
        values, tokens = best(scores, min(2 * beam_size, scores.shape[1]))  # (R, C) of each hypothesis separately
    count = values.shape[1]
    values, tokens = values.view(size, width, count), tokens.view(size, width, count)
    if bool(forced.any()):
        only = forced[:, None, None]
        first = torch.zeros_like(values, dtype=torch.bool)
        first[:, 0, 0] = True
        tokens = torch.where(only & first, given[:, None, None], tokens)
        values = torch.where(only, torch.where(first, taken[:, None, None], -torch.inf), values)
    # in float64, so that the sum of a long answer keeps the differences of single steps
    values = (totals[:, :, None] + values).masked_fill(~live[:, :, None], -torch.inf)
    values, places = best(values.flatten(1), min(2 * beam_size, width * count))  # (B, C)
    return values, tokens.flatten(1).gather(1, places), places // count


def _numbered(totals: Tensor) -> Tensor:
    """Return the row number of every hypothesis, (B, K)."""
    return torch.arange(totals.numel(), device=totals.device).view_as(totals)


def _take(rows: Tensor, field: Tensor) -> Tensor:
    return field[rows]
