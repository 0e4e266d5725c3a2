"""A law over all numeric options: what is no number in range is an `OptionError`, or it works; never a raw error."""

import inspect
import math
import typing
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import unrolled as ur
from unrolled.decoding.sampling import probabilities
from unrolled.errors import OptionError, UnrolledError
from unrolled.export.runner import softmax
from unrolled.nn.mixture import MixtureOutput

BAD = [math.nan, math.inf, -math.inf, -1, -(2**70), 2**70, 1.5, 1e-320, "x", [1]]

MAKE: dict[str, Callable[[], Any]] = {
    "language": lambda: ur.LanguageModel(hidden_size=4, dropout=0.0).fit("abcacbbca" * 40, epochs=1),
    "frames": lambda: ur.SequenceModel(hidden_size=4).fit({"frames": [[[0, 1], [1, 0], [1, 1]] * 4] * 8}, epochs=1),
    "mixture": lambda: ur.SequenceModel(hidden_size=4, output="mixture", components=2).fit(
        {"frames": [[[0.1 * t, math.sin(t)] for t in range(12)]] * 8}, epochs=1
    ),
}
NAMES = ("generate", "draw")


def numeric(method: Any) -> list[str]:
    """The parameters of a method that take a number."""
    hints = typing.get_type_hints(method)
    return [
        name
        for name in inspect.signature(method).parameters
        if {int, float} & {hints.get(name), *typing.get_args(hints.get(name))}
    ]


@pytest.mark.parametrize("name", MAKE)
def test_a_bad_number_to_a_fitted_model_is_an_error_of_ours_or_works(name: str) -> None:
    model, asked = MAKE[name](), 0
    for method_name in NAMES:
        method = getattr(model, method_name, None)
        if method is None:
            continue
        for option in numeric(method):
            for bad in BAD:
                if bad == 2**70 and option in ("length", "max_length", "count"):
                    continue  # a legal wish for more than anybody waits for
                given = {option: bad}
                if option != "length":
                    given["length"] = 2
                if method_name == "draw" and option != "count":
                    given["count"] = 2
                if name == "frames":
                    given["prompt"] = [[0, 1]]
                asked += 1
                try:
                    method(**given)
                except UnrolledError:
                    assert bad != 1e-320 or option != "temperature" or name == "frames"  # numbers are not drawn
                except Exception as fault:
                    raise AssertionError(f"{method_name}({option}={bad!r}): {type(fault).__name__}: {fault}") from fault
                else:
                    assert not isinstance(bad, float) or math.isfinite(bad), f"{method_name}({option}={bad}) was taken"
    assert asked > 10


@pytest.mark.parametrize("temperature", [1e-38, 1e-45, 5e-324, 1e-20])
def test_a_temperature_near_zero_takes_the_likeliest(temperature: float) -> None:
    logits = torch.tensor([[1.0, 3.0, 2.0, -torch.inf], [-1e30, -2e30, -3e30, -4e30], [700.0, -700.0, 699.0, 0.0]])
    shares = probabilities(logits, temperature)
    assert torch.equal(shares, probabilities(logits, 0))
    assert np.isfinite(softmax((logits[:1].numpy() - 3) / max(temperature, 1e-30))).all()
    output = MixtureOutput(2, components=2)
    raw = torch.randn(5, output.width, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(output.sample(raw, temperature), output.sample(raw, 0.0), atol=1e-4)


@pytest.mark.parametrize("option", ["temperature", "top_p", "top_k"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -1, "x"])
def test_sampling_refuses_what_is_no_number_in_range(option: str, bad: Any) -> None:
    with pytest.raises(OptionError, match=option):
        probabilities(torch.zeros(1, 3), **{option: bad})
