"""Penalties for the comparison of finished hypotheses of different lengths.

Source: Y. Wu et al., "Google's Neural Machine Translation System: Bridging the Gap between Human and Machine
Translation", 2016, section 7, equation 14.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import OptionError, ShapeError, message

# state of R rows, shared of B rows -> attention summed over the steps so far (R, S), and mask of real places (B, S)
Coverage = Callable[[Any, Any], tuple[Tensor, Tensor]]


def length_divisor(length: Any, weight: float) -> Any:
    """Return `((5 + length) / 6) ** weight`, the divisor of a log-probability, so that long answers are not penalised.

    Args:
        length: number of scored tokens, including the end; a number, or a tensor of them.
        weight: alpha of the paper, where 0.6 to 0.8 was best; 0 = no penalty.

    Example:
        >>> length_divisor(1, 0.6), length_divisor(7, 1.0)
        (1.0, 2.0)
    """
    return ((5 + length) / 6) ** weight


def coverage_term(attended: Tensor, mask: Tensor, weight: float) -> Tensor:
    """Return `weight * sum over places of log(min(attended, 1))`, (R,): negative if a place of the source was left out.

    Args:
        attended: attention on each place, summed over the steps, (R, S).
        mask: the real places of the source, (R, S) bool.
        weight: beta of the paper, where 0.2 was best; 0 = no penalty.

    Example:
        >>> import torch
        >>> coverage_term(torch.tensor([[1.5, 0.5, 0.0]]), torch.tensor([[True, True, False]]), 1.0)
        tensor([-0.6931])
    """
    # a place without any attention costs much, but not infinitely much
    seen = attended.clamp(torch.finfo(attended.dtype).tiny, 1)  # (R, S)
    return weight * seen.log().masked_fill(~mask, 0).sum(1)


@dataclass(frozen=True)
class Penalties:
    """The length and coverage penalties of a search.

    Args:
        length: see `length_divisor`.
        coverage: see `coverage_term`.
        attended: reads the attention from the decoder's state; needed for a coverage penalty.

    Raises:
        OptionError: a negative weight, or a coverage penalty without a function that reads attention, or the reverse.
    """

    length: float = 0.0
    coverage: float = 0.0
    attended: Coverage | None = None

    def __post_init__(self) -> None:
        for name, weight in (("length_penalty", self.length), ("coverage_penalty", self.coverage)):
            if not 0 <= weight < float("inf"):
                raise OptionError(message(name, expected="a number >= 0", received=weight))
        if self.coverage and self.attended is None:
            expected = "a function that reads attention from the state, for a coverage penalty"
            raise OptionError(message("coverage", expected=expected, received=None, remedy="give one"))
        if self.attended is not None and not self.coverage:
            expected = "a number > 0 where `coverage` is given"
            raise OptionError(message("coverage_penalty", expected=expected, received=self.coverage))

    def scores(self, log_probabilities: Tensor, length: int, rows: Tensor, state: Any, shared: Any) -> Tensor:
        """Return the scores that rank hypotheses, (M,).

        Args:
            log_probabilities: log-probability of each hypothesis, (M,).
            length: number of tokens that each has, including the end.
            rows: row of each in the state, (M,).
            state: the state after its last step.
            shared: what the sentences read.
        """
        scores = log_probabilities / length_divisor(length, self.length)
        if self.attended is None:
            return scores
        attended, mask = self.attended(state, shared)  # (R, S), (B, S)
        if attended.ndim != 2 or mask.ndim != 2 or mask.shape[1] != attended.shape[1]:
            shapes = f"{tuple(attended.shape)} and {tuple(mask.shape)}"
            raise ShapeError(message("coverage", expected="(R, S) and a mask (B, S)", received=shapes))
        hypotheses = len(attended) // len(mask)  # per sentence
        return scores + coverage_term(attended[rows], mask[rows // hypotheses], self.coverage)
