"""Attention against NumPy, and what a ragged source may and may not change."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from random_sequences import seeds
from unrolled.errors import OptionError
from unrolled.nn.attention import KINDS, Attention
from unrolled.ragged import Ragged

Q, E, T = 5, 3, 4


def made(kind: str, coverage: bool, seed: int = 0) -> Attention:
    torch.manual_seed(seed)
    attention = Attention(Q, E, kind, coverage).double()
    if attention.from_coverage is not None:
        torch.nn.init.normal_(attention.from_coverage)
    return attention


def by_hand(attention: Attention, query: np.ndarray, places: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Weights of one query over the places of one source."""
    weight = {name: value.detach().numpy() for name, value in attention.named_parameters()}
    cover = weight.get("from_coverage", np.zeros(Q))
    scores = []
    asked = weight["to_query.weight"] @ query
    for place, share in zip(places, seen, strict=True):
        key = weight["to_key.weight"] @ place + weight["to_key.bias"]
        if attention.kind == "multiplicative":
            scores.append(np.tanh(asked + weight["to_query.bias"]) @ (np.tanh(key) + share * cover))
        else:
            scores.append(weight["to_score.weight"][0] @ np.tanh(asked + key + share * cover))
    shares = np.exp(np.array(scores) - max(scores))
    return shares / shares.sum()


@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4), seed=seeds)
def test_weights_and_contexts_are_those_of_the_equations(kind, coverage, lengths, seed):
    attention = made(kind, coverage, seed)
    source = Ragged(torch.randn(sum(lengths), E, dtype=torch.float64), lengths)
    queries = torch.randn(len(lengths), T, Q, dtype=torch.float64)
    seen = torch.rand(len(lengths), T, source.max_length, dtype=torch.float64)
    context, weights = attention(queries, attention.remember(source), seen if coverage else None)
    for row, places in enumerate(source):
        for step in range(T):
            expected = np.zeros(source.max_length)
            if len(places):
                shares = seen[row, step, : len(places)].numpy()
                expected[: len(places)] = by_hand(attention, queries[row, step].numpy(), places.numpy(), shares)
            np.testing.assert_allclose(weights[row, step].detach().numpy(), expected, atol=1e-12)
            np.testing.assert_allclose(
                context[row, step].detach().numpy(), expected[: len(places)] @ places.numpy(), atol=1e-12
            )


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_batch_mates_change_nothing_and_get_no_gradient(kind):
    attention = made(kind, coverage=False)
    short = torch.randn(2, E, dtype=torch.float64, requires_grad=True)
    long = torch.randn(7, E, dtype=torch.float64, requires_grad=True)
    queries = torch.randn(2, T, Q, dtype=torch.float64)
    alone, _ = attention(queries[:1], attention.remember(Ragged(short, [2])))
    both, _ = attention(queries, attention.remember(Ragged(torch.cat([short, long]), [2, 7])))
    torch.testing.assert_close(both[:1], alone, rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(both[0].sum(), long)
    assert not gradient.any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_padded_place_weighs_exactly_nothing_in_every_precision(kind, dtype):
    attention = made(kind, coverage=False).to(dtype)
    source = Ragged(100 * torch.randn(8, E, dtype=dtype), [1, 7, 0])
    context, weights = attention(torch.randn(3, T, Q, dtype=dtype), attention.remember(source))
    assert not weights[0, :, 1:].any()
    assert not weights[2].any()
    assert not context[2].any()
    assert context.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coverage", [False, True])
def test_gradients_are_those_of_finite_differences(kind, coverage):
    attention = made(kind, coverage)
    places = torch.randn(5, E, dtype=torch.float64, requires_grad=True)
    queries = torch.randn(2, 2, Q, dtype=torch.float64, requires_grad=True)
    seen = torch.rand(2, 2, 3, dtype=torch.float64) if coverage else None

    def contexts(places, queries, *weights):
        return attention(queries, attention.remember(Ragged(places, [3, 2])), seen)[0]

    assert torch.autograd.gradcheck(contexts, (places, queries, *attention.parameters()))


def test_an_unknown_kind_and_a_missing_coverage_are_refused():
    with pytest.raises(OptionError, match="multiplicative"):
        Attention(Q, E, "multiplicativ")
    attention = made("additive", coverage=True)
    memory = attention.remember(Ragged(torch.randn(2, E, dtype=torch.float64), [2]))
    with pytest.raises(OptionError, match="coverage"):
        attention(torch.randn(1, T, Q, dtype=torch.float64), memory)
