"""Attention against NumPy, and what a ragged source may and may not change."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from random_sequences import seeds
from unrolled.errors import OptionError
from unrolled.nn.attention import KINDS, Attention
from unrolled.nn.clock import FASTEST, SLOWEST, WAVES
from unrolled.ragged import Ragged

Q, E, T = 5, 3, 4
TOLERANCE = {False: 1e-12, True: 1e-5}  # a clock is told in float32


def made(kind: str, coverage: bool, seed: int = 0, positions: bool = False) -> Attention:
    torch.manual_seed(seed)
    attention = Attention(Q, E, kind, coverage, positions).double()
    if attention.from_coverage is not None:
        torch.nn.init.normal_(attention.from_coverage)
    return attention


def waves(position: int) -> np.ndarray:
    angles = 2 * np.pi * position / (FASTEST * (SLOWEST / FASTEST) ** (np.arange(WAVES) / (WAVES - 1)))
    return np.concatenate([np.sin(angles), np.cos(angles)])


def by_hand(
    attention: Attention, query: np.ndarray, places: np.ndarray, seen: np.ndarray, time: int | None = None
) -> np.ndarray:
    """Weights of one query over the places of one source."""
    weight = {name: value.detach().numpy() for name, value in attention.named_parameters()}
    cover = weight.get("from_coverage", np.zeros(Q))
    scores = []
    asked = weight["to_query.weight"] @ query
    if time is not None:
        asked = asked + weight["from_clocks.2.linear.weight"] @ waves(time)
    for number, (place, share) in enumerate(zip(places, seen, strict=True)):
        key = weight["to_key.weight"] @ place + weight["to_key.bias"]
        if time is not None:
            key = key + weight["from_clocks.0.linear.weight"] @ waves(number)
            key = key + weight["from_clocks.1.linear.weight"] @ waves(len(places) - 1 - number)
        if attention.kind == "multiplicative":
            scores.append(np.tanh(asked + weight["to_query.bias"]) @ (np.tanh(key) + share * cover))
        else:
            scores.append(weight["to_score.weight"][0] @ np.tanh(asked + key + share * cover))
    shares = np.exp(np.array(scores) - max(scores))
    return shares / shares.sum()


@pytest.mark.parametrize("positions", [False, True])
@pytest.mark.parametrize("coverage", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=20)
@given(lengths=st.lists(st.integers(0, 5), min_size=1, max_size=4), seed=seeds)
def test_weights_and_contexts_are_those_of_the_equations(kind, coverage, positions, lengths, seed):
    attention = made(kind, coverage, seed, positions)
    source = Ragged(torch.randn(sum(lengths), E, dtype=torch.float64), lengths)
    queries = torch.randn(len(lengths), T, Q, dtype=torch.float64)
    seen = torch.rand(len(lengths), T, source.max_length, dtype=torch.float64)
    times = torch.arange(3, 3 + T) if positions else None
    context, weights = attention(queries, attention.remember(source), seen if coverage else None, times)
    for row, places in enumerate(source):
        for step in range(T):
            expected = np.zeros(source.max_length)
            if len(places):
                shares = seen[row, step, : len(places)].numpy()
                time = 3 + step if positions else None
                expected[: len(places)] = by_hand(attention, queries[row, step].numpy(), places.numpy(), shares, time)
            np.testing.assert_allclose(weights[row, step].detach().numpy(), expected, atol=TOLERANCE[positions])
            np.testing.assert_allclose(
                context[row, step].detach().numpy(), expected[: len(places)] @ places.numpy(), atol=TOLERANCE[positions]
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


def test_an_unknown_kind_and_a_missing_coverage_or_time_are_refused():
    with pytest.raises(OptionError, match="multiplicative"):
        Attention(Q, E, "multiplicativ")
    attention = made("additive", coverage=True)
    memory = attention.remember(Ragged(torch.randn(2, E, dtype=torch.float64), [2]))
    with pytest.raises(OptionError, match="coverage"):
        attention(torch.randn(1, T, Q, dtype=torch.float64), memory)
    attention = made("multiplicative", coverage=False, positions=True)
    memory = attention.remember(Ragged(torch.randn(2, E, dtype=torch.float64), [2]))
    with pytest.raises(OptionError, match="times"):
        attention(torch.randn(1, T, Q, dtype=torch.float64), memory)
