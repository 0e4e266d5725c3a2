"""Attention: at each step a decoder computes a weighted mean over all places of a source.

    scores_ti  = agreement of step t's query and place i's key
    weights_ti = softmax over the real places i
    context_t  = sum_i weights_ti value_i

The source is ragged; it is padded here, and a padded place has a weight of exactly 0. A source without places gives a
context of zeros.

With positions, keys also contain the distance of their place from both ends of the source, and queries the number of
their step: a recurrent net can count, but learns to do so late, and loses count in long texts.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from unrolled.errors import OptionError, message, unknown
from unrolled.nn.clock import WAVES, clock
from unrolled.ragged import Ragged

KINDS = ("multiplicative", "additive")


class KeysAndValues(NamedTuple):
    """The keys and values of attention, one row per source."""

    keys: Tensor  # (B, S, A)
    values: Tensor  # (B, S, E)
    mask: Tensor  # (B, S) bool, True = real


class Attention(nn.Module):
    """Computes weights over the places of a source for each query, and the weighted mean of their values.

    Args:
        query_size: width of a query, Q.
        memory_size: width of a place of the source, E.
        kind: "multiplicative", a query times a key, both mapped and squashed by tanh; or "additive", a small net over
            each pair of them, which takes Q times the memory.
        coverage: add to the scores a term of the attention that each place has had so far.
        positions: add to keys and queries their positions in source and target.

    Raises:
        OptionError: an unknown kind.

    Sources: additive: D. Bahdanau, K. Cho and Y. Bengio, "Neural Machine Translation by Jointly Learning to Align and
    Translate", ICLR 2015, appendix A.1.2; multiplicative: M.-T. Luong, H. Pham and C. Manning, "Effective Approaches
    to Attention-based Neural Machine Translation", EMNLP 2015, section 3.1 ("general"), here of mapped and squashed
    vectors as in T. Dozat and C. Manning, "Deep Biaffine Attention for Neural Dependency Parsing", ICLR 2017, section
    2.2; coverage: A. See, P. Liu and C. Manning, "Get To The Point", ACL 2017, section 2.3.

    Example:
        >>> import torch
        >>> attention = Attention(query_size=4, memory_size=3)
        >>> memory = attention.remember(Ragged(torch.randn(5, 3), [2, 3]))
        >>> context, weights = attention(torch.randn(2, 1, 4), memory)
        >>> context.shape, weights[0, 0, 2].item()  # the first source has no third place
        (torch.Size([2, 1, 3]), 0.0)
    """

    def __init__(
        self,
        query_size: int,
        memory_size: int,
        kind: str = "multiplicative",
        coverage: bool = False,
        positions: bool = False,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise unknown("attention", kind, KINDS)
        self.kind = kind
        self.to_key = nn.Linear(memory_size, query_size)
        self.to_query = nn.Linear(query_size, query_size, bias=kind == "multiplicative")
        self.to_score = nn.Linear(query_size, 1, bias=False) if kind == "additive" else None
        self.from_coverage = nn.Parameter(torch.zeros(query_size)) if coverage else None
        self.from_clocks = nn.ModuleList(_Clock(query_size) for _ in range(3)) if positions else None
        self.width = 2 * query_size if kind == "additive" else 3  # numbers kept per query and place while training

    def remember(self, source: Ragged) -> KeysAndValues:
        """Compute keys and values of a source's places, (N, E) ragged, which all queries share."""
        keys = self.to_key(source.values)  # (N, A)
        if self.from_clocks is not None:
            from_start, from_end, _ = self.from_clocks
            place = source.positions  # (N,)
            left = source.lengths.to(place.device)[source.sequence_ids] - 1 - place
            keys = keys + from_start(place) + from_end(left)
        if self.to_score is None:
            # squashed, many units are each a threshold on the position of a place: where query and key agree, all
            # of them agree, and next to it one or two do not. The bare product finds neighbours alike for long
            keys = keys.tanh()
        return KeysAndValues(source.with_values(keys).padded(), source.padded(), source.mask())

    def forward(
        self, queries: Tensor, memory: KeysAndValues, coverage: Tensor | None = None, times: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Compute contexts (B, T, E) and weights (B, T, S) for T queries of each source.

        Args:
            queries: (B, T, Q).
            memory: of B sources.
            coverage: the sum of the weights of all previous steps, (B, T, S); required with `coverage`.
            times: number of earlier queries of the same source, (T,) or (B, T); required with `positions`.
        """
        for name, given, known in (("coverage", coverage, self.from_coverage), ("times", times, self.from_clocks)):
            if (given is None) != (known is None):
                expected = "given exactly where attention was built with it"
                raise OptionError(message(name, expected=expected, received=given))
        scores = self._scores(queries, memory.keys, coverage, times)  # (B, T, S)
        real = memory.mask[:, None]  # (B, 1, S)
        lowest = torch.finfo(scores.dtype).min
        weights = scores.masked_fill(~real, lowest).softmax(2) * real  # a source without places has no weights
        return weights @ memory.values, weights

    def _scores(self, queries: Tensor, keys: Tensor, coverage: Tensor | None, times: Tensor | None) -> Tensor:
        asked = self.to_query(queries)  # (B, T, A)
        if times is not None and self.from_clocks is not None:
            asked = asked + self.from_clocks[2](times)
        if self.to_score is None:
            asked = asked.tanh()
            scores = asked @ keys.transpose(1, 2)  # (B, T, S)
            if coverage is not None and self.from_coverage is not None:
                scores = scores + coverage * (asked @ self.from_coverage)[..., None]
            return scores
        joined = asked[:, :, None] + keys[:, None]  # (B, T, S, A)
        if coverage is not None and self.from_coverage is not None:
            joined = joined + coverage[..., None] * self.from_coverage
        return self.to_score(joined.tanh()).squeeze(3)  # (B, T, S)


class _Clock(nn.Module):
    """A vector for each position, linear in its `clock`."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * WAVES, size, bias=False)

    def forward(self, positions: Tensor) -> Tensor:
        """Map whole numbers >= 0 (...) to vectors (..., size)."""
        numbers, where = positions.unique(return_inverse=True)  # a batch has few different ones
        return self.linear(clock(numbers).to(self.linear.weight.dtype))[where]
