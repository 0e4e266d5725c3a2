"""The one loop that generates: draw a token, read it, and draw the next."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.decoding.sampling import generator_of, probabilities
from unrolled.errors import whole_number

StepFunction = Callable[[Tensor, Any], tuple[Tensor, Any]]  # tokens (B,), state -> logits (B, V), state


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn, and how many.

    Args:
        length: maximum number of tokens.
        temperature: below 1 more predictable, above 1 more random, 0 always the most probable token.
        top_k: draw only from the k most probable tokens; 0 from all.
        top_p: draw only from the fewest tokens that reach this probability together.
        seed: for reproducible tokens; None = another draw each time.

    Raises:
        OptionError: a length below 0; the others are checked where they are used.
    """

    length: int = 200
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", whole_number("length", self.length, least=0))

    def shares(self, logits: Tensor) -> Tensor:
        """Return the distribution to draw from, (B, V); see `unrolled.decoding.sampling.probabilities`."""
        return probabilities(logits, self.temperature, self.top_k, self.top_p)


class Drawn(NamedTuple):
    """One step of a generation.

    Args:
        token: what was drawn, (B,).
        shares: the distribution that it was drawn from, (B, V).
        state: the state after the token was read.
    """

    token: Tensor
    shares: Tensor
    state: Any


def generate(step: StepFunction, logits: Tensor, state: Any, sampling: Sampling, end: int = -1) -> Iterator[Drawn]:
    """Draw tokens one after another; the caller may stop at any time.

    Args:
        step: maps tokens (B,) and a state to logits (B, V) and the next state.
        logits: the logits of the first token to draw, (B, V).
        state: the state that goes with `logits`.
        sampling: how tokens are drawn, and how many at most.
        end: the token that ends a single sequence, and is not yielded; -1 = none.

    Raises:
        OptionError: an invalid option of `sampling`, before the first step.

    Example:
        >>> count_up = lambda token, state: (torch.eye(10)[(token + 1) % 10] * 99, state)
        >>> [int(drawn.token) for drawn in generate(count_up, torch.eye(10)[[3]] * 99, None, Sampling(length=4))]
        [3, 4, 5, 6]
    """
    generator, first = generator_of(sampling.seed), sampling.shares(logits)
    return _steps(step, first, state, sampling, generator, end)


def _steps(
    step: StepFunction, shares: Tensor, state: Any, sampling: Sampling, generator: torch.Generator, end: int
) -> Iterator[Drawn]:
    for _ in range(sampling.length):
        with torch.no_grad():  # not around the yield: it would also apply to the caller's code
            token = torch.multinomial(shares, 1, generator=generator).squeeze(1)
            if end >= 0 and int(token) == end:
                return
            logits, state = step(token, state)
        yield Drawn(token, shares, state)
        shares = sampling.shares(logits)
