"""Scores of the next token: checked and normalised logits of a step, and the best tokens in a fixed order."""

from typing import Any

import torch
from torch import Tensor

from unrolled.decoding.sentences import SearchStep, Sentences
from unrolled.errors import DataError, OptionError, ShapeError, message


def advance(
    step: SearchStep, tokens: Tensor, state: Any, sentences: Sentences, live: Tensor, end: int, time: int
) -> tuple[Tensor, Tensor, Any]:
    """Take one step and read its answer.

    Args:
        step: the step function.
        tokens: tokens to read, (R,).
        state: the state before, a tree of R rows.
        sentences: the sentences the rows belong to; R is a multiple of their number.
        live: rows that hold a hypothesis, (R,) bool; the answers of other rows are ignored.
        end: the token that ends a sentence.
        time: number of steps taken before, for errors.

    Returns:
        Log-probabilities (R, V), in at least float32; which live rows have no possible token, (R,) bool, where
        the log-probabilities mean nothing; and the state after.

    Raises:
        ShapeError: not one row of logits per token.
        OptionError: an end or a prefix outside the vocabulary.
        DataError: NaN or +inf among the logits of a hypothesis.
    """
    logits, state = step(tokens, state, sentences.shared)
    if logits.ndim != 2 or logits.shape[0] != len(tokens):
        raise ShapeError(
            message("logits", expected=f"shape ({len(tokens)}, V) from the step", received=tuple(logits.shape))
        )
    size = logits.shape[1]
    if end >= size:
        raise OptionError(message("end", expected=f"a token below {size}, the width of the logits", received=end))
    outside = (sentences.prefix < 0) | (sentences.prefix >= size)
    if time == 0 and bool(outside.any()):
        wrong = int(sentences.prefix[outside][0])
        raise OptionError(message("prefix", expected=f"tokens from 0 to {size - 1}", received=wrong))
    highest = logits.amax(1)  # (R,) NaN where any is
    broken = live & ~(highest < torch.inf)
    if bool(broken.any()):
        row = int(broken.nonzero()[0]) * len(sentences.ids) // len(tokens)
        raise DataError(
            message(
                "logits",
                expected="numbers, or -inf for an impossible token",
                received=f"NaN or +inf at step {time} of sentence {int(sentences.ids[row])}",
                remedy="look at what the model read there, and at its weights",
            )
        )
    scores = logits if logits.dtype == torch.float64 else logits.float()
    return scores.log_softmax(1), live & (highest == -torch.inf), state


def forced_scores(scores: Tensor, tokens: Tensor, forced: Tensor, sentences: Sentences, time: int) -> Tensor:
    """Return the log-probability of the token each sentence must take, (B,); undefined where `forced` is False.

    Args:
        scores: log-probabilities of the one hypothesis of each sentence, (B, V).
        tokens: the forced tokens, (B,).
        forced: whether the sentence has a forced token at this step, (B,) bool.
        sentences: the sentences.
        time: number of steps taken before, for errors.

    Raises:
        OptionError: a token of the prefix is impossible.
    """
    taken = scores.gather(1, tokens[:, None]).squeeze(1)  # (B,)
    refused = forced & ~(taken > -torch.inf)
    if bool(refused.any()):
        row = int(refused.nonzero()[0])
        received = f"token {int(tokens[row])} at step {time} of sentence {int(sentences.ids[row])}, of probability 0"
        raise OptionError(message("prefix", expected="tokens that the model considers possible", received=received))
    return taken


def best(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the largest values of every row, largest first, and their places; in a tie the first place comes first.

    `torch.topk` leaves the order of ties open, so that an answer could change from machine to machine.

    Args:
        values: values, (R, V).
        count: number of values, at most V; among places of -inf any may be returned.

    Returns:
        Values and places, (R, count) each.

    Example:
        >>> import torch
        >>> best(torch.tensor([[1.0, 3.0, 0.0, 3.0, 1.0]]), 3)
        (tensor([[3., 3., 1.]]), tensor([[1, 3, 0]]))
    """
    if count >= values.shape[1]:
        ordered, places = values.sort(dim=1, descending=True, stable=True)
        return ordered, places
    found, places = values.topk(count + 1, 1)
    places = places[:, :count]
    edge = found[:, count - 1]  # (R,) the last value that is taken
    torn = ((edge == found[:, count]) & (edge > -torch.inf)).nonzero().squeeze(1)  # rows where a tie is left out
    if len(torn):
        some, edge = values[torn], edge[torn, None]
        above, level = some > edge, some == edge
        room = count - above.sum(1, keepdim=True)
        places[torn] = (above | (level & (level.cumsum(1) <= room))).nonzero()[:, 1].view(-1, count)
    places = places.sort(1).values
    ordered, order = values.gather(1, places).sort(dim=1, descending=True, stable=True)
    return ordered, places.gather(1, order)
