"""Losses over a catalogue: all of it for a small one, a drawn part for one of a million items."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from unrolled.errors import OptionError, message, unknown

LOSSES = ("auto", "cross_entropy", "sampled_softmax", "bpr_max")
SMALL = 4096  # a catalogue up to this size is looked at whole
DRAWN = 1024  # items drawn for each batch otherwise
PULL = 0.2  # of BPR-max: how strongly the drawn items' scores are held small
NEVER = -1e9  # score of what does not compete; infinity would make a row of such items NaN


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
        """Log probability that one draw gives each item."""
        ranks = items.to(torch.float32)
        return torch.log(torch.log1p(1 / (ranks + 1)) / math.log(self.size + 1))

    def draw(self, count: int, generator: torch.Generator | None = None) -> Tensor:
        """Different items among `count` draws, sorted, (K,) with K <= count; two at least, as one may be the answer."""
        where = torch.rand(count, dtype=torch.float64, generator=generator) * math.log(self.size + 1)
        found = torch.unique((where.exp().long() - 1).clamp_(0, self.size - 1))
        return found if len(found) > 1 else torch.arange(2)

    def log_expected(self, items: Tensor, count: int) -> Tensor:
        """Log of how probably each item is among `count` draws."""
        missed = count * torch.log1p(-self.log_share(items).exp())
        return torch.log(-torch.expm1(missed))


def choose_loss(name: str, size: int) -> str:
    """The loss that a name means for a catalogue of `size` items.

    Raises:
        OptionError: an unknown name, or a catalogue of one item, from which nothing is chosen.
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    if size < 2:
        raise OptionError(message("items", expected="a catalogue of at least 2 items", received=size))
    if name != "auto":
        return name
    return "cross_entropy" if size <= SMALL else "sampled_softmax"


def without_the_true_item(scores: Tensor, targets: Tensor, drawn: Tensor) -> Tensor:
    """Scores of drawn items, in place, where those that are the row's true item compete no more.

    Args:
        scores: (M, K).
        targets: the true items, (M,).
        drawn: the drawn items, sorted, (K,).
    """
    places = torch.searchsorted(drawn, targets).clamp_(max=len(drawn) - 1)  # (M,)
    rows = (drawn[places] == targets).nonzero().squeeze(1)
    return scores.index_put_((rows, places[rows]), scores.new_tensor(NEVER))


def sampled_softmax(true: Tensor, drawn: Tensor) -> Tensor:
    """Cross-entropy between the true item and the drawn ones, summed.

    Args:
        true: scores of the true items, less the log of how probably each is drawn, (M,).
        drawn: those of the drawn items, (M, K).

    Source: Jean et al. 2015, section 3, equation 6.
    """
    return softplus(drawn.logsumexp(1) - true).sum()


def bpr_max(true: Tensor, drawn: Tensor) -> Tensor:
    """How surely the true item stands before the drawn ones that score highest, summed.

    Args:
        true: scores of the true items, (M,).
        drawn: scores of the drawn items, (M, K).

    Source: B. Hidasi and A. Karatzoglou, "Recurrent Neural Networks with Top-k Gains for Session-based
    Recommendations", CIKM 2018, section 3.3.3.
    """
    shares = drawn.softmax(1)  # (M, K)
    ahead = (shares * torch.sigmoid(true[:, None] - drawn)).sum(1)
    held = PULL * (shares * drawn.square()).sum(1)
    return (held - torch.log(ahead + 1e-24)).sum()
