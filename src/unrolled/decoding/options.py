"""The arguments of a search that travel together: where answers begin and end, and how they are ranked."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from unrolled.decoding.sentences import Prefix
from unrolled.errors import OptionError, message


@dataclass(frozen=True)
class AnswerBounds:
    """Where the answers of a search begin and end.

    Args:
        start: the token read first; one for all sentences, or (B,).
        end: the token that ends an answer.
        max_length: maximum number of steps, including the end; one for all sentences, or (B,).
        prefix: tokens that each answer begins with, one Ragged or list of lists; they count towards the score.
    """

    start: int | Tensor
    end: int
    max_length: int | Tensor | Sequence[int]
    prefix: Prefix | None = None


@dataclass(frozen=True)
class SearchOptions:
    """How a beam search keeps and ranks hypotheses.

    Args:
        beam_size: hypotheses kept per sentence, K.
        n_best: answers to return per sentence, at most K.
        length_penalty: alpha of Google's translator; 0 = none, 0.6 to 1 if answers are too short.
        coverage_penalty: beta of the same paper, against leaving out parts of the source; 0 = none.

    Raises:
        OptionError: an invalid size or number of answers.
    """

    beam_size: int = 5
    n_best: int = 1
    length_penalty: float = 0.0
    coverage_penalty: float = 0.0

    def __post_init__(self) -> None:
        if self.beam_size < 1:
            raise OptionError(message("beam_size", expected="an integer >= 1", received=self.beam_size))
        if not 1 <= self.n_best <= self.beam_size:
            expected = f"from 1 to beam_size, {self.beam_size}"
            raise OptionError(message("n_best", expected=expected, received=self.n_best))
