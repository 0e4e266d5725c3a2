"""Paths: the tokens of all hypotheses, stored as back-pointers, and read out only for those that are returned."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from unrolled.state import map_state


@dataclass(frozen=True)
class Hypothesis:
    """One answer of a search.

    Args:
        tokens: the answer, without the start and the end.
        score: number that ranked it: the log-probability after penalties.
        log_probability: log-probability of all its tokens and, if it finished, of the end, in nats.
        finished: whether it ended; False = it reached `max_length`, or no token was possible.
        trace: what the caller's `trace` gave for each token, a tree of (tokens, ...); None without a trace.
    """

    tokens: list[int]
    score: float
    log_probability: float
    finished: bool
    trace: Any = field(default=None, compare=False, repr=False)


class _Step(NamedTuple):
    """One step of all hypotheses: R rows were read and led to M new ones.

    `rows` (R,) gives the row of each among the new ones of the step before: some were dropped in between.
    """

    rows: Tensor
    parents: Tensor  # (M,) the read row that each new one continues
    tokens: Tensor  # (M,)
    trace: Any  # tree of (R, ...)


class _Ends(NamedTuple):
    """Stopped hypotheses: `counts` tokens, the last at `rows` of its step; (M,) each."""

    sentences: Tensor
    counts: Tensor
    rows: Tensor
    log_probabilities: Tensor
    scores: Tensor
    finished: Tensor


class Paths:
    """The growing tree of all hypotheses of a search.

    Example:
        >>> import torch
        >>> paths = Paths()
        >>> paths.grow(torch.tensor([0]), torch.tensor([0, 0]), torch.tensor([7, 8]))
        >>> paths.grow(torch.tensor([0, 1]), torch.tensor([1]), torch.tensor([9]))
        >>> paths.stop(torch.tensor([0]), torch.tensor([0]), torch.tensor([-1.5]), torch.tensor([-1.5]), finished=True)
        >>> paths.hypotheses(1, 1)
        [[Hypothesis(tokens=[8, 9], score=-1.5, log_probability=-1.5, finished=True)]]
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._ends: list[_Ends] = []

    def grow(self, rows: Tensor, parents: Tensor, tokens: Tensor, trace: Any = None) -> None:
        """Add one step.

        Args:
            rows: row in the last step of each row that was read now, (R,).
            parents: which of those each new row continues, (M,).
            tokens: the token that it adds, (M,).
            trace: what to store of the rows read, a tree of (R, ...).
        """
        self._steps.append(_Step(rows, parents, tokens, trace))

    def stop(self, sentences: Tensor, rows: Tensor, log_probabilities: Tensor, scores: Tensor, finished: bool) -> None:
        """Record hypotheses that end with the last step; `rows` are numbered as in that step; (M,) each."""
        if len(sentences):
            counts = torch.full_like(rows, len(self._steps))
            marks = torch.full_like(rows, finished, dtype=torch.bool)
            self._ends.append(_Ends(sentences, counts, rows, log_probabilities, scores, marks))

    def hypotheses(self, batch_size: int, n_best: int) -> list[list[Hypothesis]]:
        """Return the best of every sentence, best first: finished before unfinished, then by score, then by age."""
        answers: list[list[Hypothesis]] = [[] for _ in range(batch_size)]
        if not self._ends:
            return answers
        ends = _Ends(*(torch.cat(parts).cpu() for parts in zip(*self._ends, strict=True)))
        order = np.lexsort((-ends.scores.numpy(), ~ends.finished.numpy(), ends.sentences.numpy()))  # a stable sort
        sentences = ends.sentences.numpy()[order]
        ranks = np.arange(len(order)) - np.searchsorted(sentences, sentences)
        chosen = _Ends(*(part[torch.from_numpy(order[ranks < n_best])] for part in ends))
        tokens, traces = self._read(chosen.counts, chosen.rows)
        columns = (part.tolist() for part in (chosen.sentences, chosen.counts, *chosen[3:], tokens))
        for place, (sentence, count, log_probability, score, finished, row) in enumerate(zip(*columns, strict=True)):
            trace = map_state(lambda dense, place=place, count=count: dense[place, :count], traces)
            answers[sentence].append(Hypothesis(row[:count], score, log_probability, finished, trace))
        return answers

    def _read(self, counts: Tensor, rows: Tensor) -> tuple[Tensor, Any]:
        """Read each hypothesis back from its end: tokens, (M, longest), and traces, a tree of (M, longest, ...)."""
        longest = int(counts.max())
        tokens = torch.zeros(len(counts), longest, dtype=torch.int64)
        traces = map_state(
            lambda part: part.new_zeros(len(counts), longest, *part.shape[1:]),
            self._steps[0].trace if self._steps else None,
        )
        rows = rows.clone()
        for time in reversed(range(longest)):
            step = self._steps[time]
            here = (counts > time).nonzero().squeeze(1)  # hypotheses that have this token
            tokens[here, time] = step.tokens.cpu()[rows[here]]
            read = step.parents.cpu()[rows[here]]
            _write(traces, step.trace, here, time, read)
            rows[here] = step.rows.cpu()[read]
        return tokens, traces


def _write(traces: Any, trace: Any, here: Tensor, time: int, read: Tensor) -> None:
    """Write the rows `read` of one step's trace to their places."""

    def put(dense: Tensor, part: Tensor) -> Tensor:
        dense[here.to(dense.device), time] = part[read.to(part.device)]
        return dense

    map_state(put, traces, trace)
