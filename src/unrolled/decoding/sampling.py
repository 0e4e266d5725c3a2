"""Distributions to draw tokens from, and generators of random numbers."""

import torch
from torch import Tensor

from unrolled.errors import OptionError, finite_number, message, whole_number
from unrolled.nn.output import COLDEST

MAX_SEED = 2**63 - 1


def generator_of(seed: int | None) -> torch.Generator:
    """Return a new generator of random numbers; None = an unpredictable seed.

    Raises:
        OptionError: no whole number from 0 to 2^63 - 1.
    """
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(whole_number("seed", seed, 0, MAX_SEED))
    return generator


def probabilities(logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """Return the distribution to draw from, (B, V).

    Args:
        logits: logits, (B, V).
        temperature: below 1 sharpens, above 1 flattens; 0 puts everything on the most probable token.
        top_k: keep only the k most probable tokens; 0 keeps all.
        top_p: keep the fewest tokens whose probabilities reach p together; 1 keeps all.

    Raises:
        OptionError: a temperature or top_k below 0 or not finite, or top_p outside (0, 1].

    Source of top_p: A. Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020, section 3.1.

    Example:
        >>> import torch
        >>> probabilities(torch.tensor([[0.0, 1.0, 2.0]]), top_k=1)
        tensor([[0., 0., 1.]])
    """
    temperature = finite_number("temperature", temperature, least=0)
    top_k = whole_number("top_k", top_k, least=0)
    top_p = finite_number("top_p", top_p)
    if not 0 < top_p <= 1:
        raise OptionError(message("top_p", expected="a number in (0, 1]", received=top_p))
    if temperature == 0:
        return torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 1.0)
    logits = logits.float()
    # the largest logit becomes 0, whatever it is divided by: near 0 the others vanish, and nothing overflows
    scaled = (logits - logits.amax(1, keepdim=True)) / max(temperature, COLDEST)
    if 0 < top_k < logits.shape[1]:
        lowest = scaled.topk(top_k, 1).values[:, -1:]
        scaled = scaled.masked_fill(scaled < lowest, -torch.inf)
    shares = scaled.softmax(1)  # (B, V)
    if top_p < 1:
        ordered, index = shares.sort(1, descending=True)
        needed = ordered.cumsum(1) - ordered < top_p  # the tokens before this one do not reach p yet
        needed[:, 0] = True  # the most probable token stays, however small p is
        shares = torch.zeros_like(shares).scatter(1, index, ordered * needed)
        shares = shares / shares.sum(1, keepdim=True)
    return shares
