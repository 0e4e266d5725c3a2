"""Losses over a catalogue of items: all of it if small, else a random sample."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from unrolled.errors import OptionError, message, unknown

LOSSES = ("auto", "cross_entropy", "sampled_softmax", "bpr_max")
SMALL = 4096  # largest catalogue that is not sampled
DRAWN = 1024  # items sampled per batch otherwise
PULL = 0.2  # of BPR-max: strength of the regularisation of the sampled items' scores
NEVER = -1e9  # score of an excluded item; infinity would make a row of such items NaN


class LogUniform:
    """Draws item indices with probability log((k + 2) / (k + 1)) / log(V + 1): popularity by Zipf's law.

    Items are numbered by falling frequency, so that frequent ones are drawn more often.

    Args:
        size: items, V.

    Source: S. Jean et al., "On Using Very Large Target Vocabulary for Neural Machine Translation", ACL 2015, section 3;
    Y. Bengio and J.-S. Senécal, IEEE Transactions on Neural Networks 19 (2008), section III.

    Example:
        >>> LogUniform(100).log_share(torch.tensor([0])).exp()  # log 2 / log 101
        tensor([0.1502])
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def log_share(self, items: Tensor) -> Tensor:
        """Return the log probability of each item in one draw."""
        ranks = items.to(torch.float32)
        return torch.log(torch.log1p(1 / (ranks + 1)) / math.log(self.size + 1))

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `count` times and return the different items, sorted, (K,) with K <= count; at least two."""
        where = torch.rand(count, dtype=torch.float64, generator=generator) * math.log(self.size + 1)
        found = torch.unique((where.exp().long() - 1).clamp_(0, self.size - 1))
        return found if len(found) > 1 else torch.arange(2)

    def log_expected(self, items: Tensor, count: int) -> Tensor:
        """Return the log probability that each item is among `count` draws."""
        missed = count * torch.log1p(-self.log_share(items).exp())
        return torch.log(-torch.expm1(missed))


def choose_loss(name: str, size: int) -> str:
    """Return the loss of a name for a catalogue of `size` items.

    Raises:
        OptionError: an unknown name, or a catalogue of fewer than two items.
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    if size < 2:
        raise OptionError(message("items", expected="a catalogue of at least 2 items", received=size))
    if name != "auto":
        return name
    return "cross_entropy" if size <= SMALL else "sampled_softmax"


def without_the_true_item(scores: Tensor, targets: Tensor, drawn: Tensor) -> Tensor:
    """Exclude each row's true item from the scores of the sampled items, in place.

    Args:
        scores: (M, K).
        targets: the true items, (M,).
        drawn: the sampled items, sorted, (K,).
    """
    places = torch.searchsorted(drawn, targets).clamp_(max=len(drawn) - 1)  # (M,)
    rows = (drawn[places] == targets).nonzero().squeeze(1)
    return scores.index_put_((rows, places[rows]), scores.new_tensor(NEVER))


def sampled_softmax(true: Tensor, drawn: Tensor) -> Tensor:
    """Sum the cross-entropy of the true item among the sampled ones.

    Args:
        true: scores of the true items, minus the log probability of being drawn, (M,).
        drawn: those of the sampled items, (M, K).

    Source: Jean et al. 2015, section 3, equation 6.
    """
    return softplus(drawn.logsumexp(1) - true).sum()


def bpr_max(true: Tensor, drawn: Tensor) -> Tensor:
    """Sum the BPR-max loss: the true item must score higher than the best of the sampled ones.

    Args:
        true: scores of the true items, (M,).
        drawn: scores of the sampled items, (M, K).

    Source: B. Hidasi and A. Karatzoglou, "Recurrent Neural Networks with Top-k Gains for Session-based
    Recommendations", CIKM 2018, section 3.3.3.
    """
    shares = drawn.softmax(1)  # (M, K)
    ahead = (shares * torch.sigmoid(true[:, None] - drawn)).sum(1)
    held = PULL * (shares * drawn.square()).sum(1)
    return (held - torch.log(ahead + 1e-24)).sum()
