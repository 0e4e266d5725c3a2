"""torch.func's transforms reach through `unroll`: the reference runs, with the answers of plain autograd."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad

from random_sequences import noise, shake, some_ragged
from unrolled.cells.registry import CELLS, make_cell
from unrolled.errors import UnsupportedError
from unrolled.kernels.choose import choose
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged

LENGTHS = [4, 0, 7, 2]
F, H = 3, 5
cells = pytest.mark.parametrize("name", CELLS)
Weights = dict[str, Tensor]


class Loss(nn.Module):
    """A number from everything that an unrolled cell answers."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.cell = shake(make_cell(name, F, H, learn_initial_state=True), scale=0.1)

    def forward(self, values: Tensor) -> Tensor:
        outputs, state = unroll(self.cell, Ragged(values, LENGTHS))
        return outputs.values.square().sum() + sum(field.pow(3).sum() for field in state)


def some(seed: int = 0) -> Tensor:
    return noise(sum(LENGTHS), F, seed=seed, dtype=torch.float32)


def a_loss(name: str) -> tuple[Callable[[Weights, Tensor], Tensor], Weights]:
    """The loss as a function of the weights and the inputs, and weights."""
    module = Loss(name)
    weights = {name: weight.detach() for name, weight in module.named_parameters()}
    return lambda weights, values: torch.func.functional_call(module, weights, (values,)), weights


def slopes(loss: Callable[[Weights, Tensor], Tensor], weights: Weights, values: Tensor) -> tuple[Weights, Tensor]:
    """The gradients by torch.autograd.grad."""
    leaves, leaf = {name: weight.requires_grad_() for name, weight in weights.items()}, values.requires_grad_()
    *found, slope = torch.autograd.grad(loss(leaves, leaf), [*leaves.values(), leaf])
    return dict(zip(weights, found, strict=True)), slope


def assert_close(got: Tensor | Weights, want: Tensor | Weights) -> None:
    torch.testing.assert_close(got, want, rtol=1e-4, atol=1e-4)


@cells
def test_grad_of_weights_and_inputs_is_that_of_autograd(name):
    loss, weights = a_loss(name)
    got = torch.func.grad(loss, argnums=(0, 1))(weights, some())
    for one, other in zip(got, slopes(loss, weights, some()), strict=True):
        assert_close(one, other)


@cells
def test_vmap_over_inputs_is_one_call_for_each(name):
    loss, weights = a_loss(name)
    batch = torch.stack([some(seed) for seed in range(3)])
    got = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, batch)
    for row, values in enumerate(batch):
        assert_close({name: slope[row] for name, slope in got.items()}, slopes(loss, weights, values.clone())[0])


@cells
def test_vmap_over_weights_is_one_call_for_each(name):
    loss, weights = a_loss(name)
    ensemble = {name: torch.stack([weight, 0.5 * weight]) for name, weight in weights.items()}
    got = torch.func.vmap(torch.func.grad(loss, argnums=1), in_dims=(0, None))(ensemble, some())
    for row, slope in enumerate(got):
        assert_close(slope, slopes(loss, {name: weight[row] for name, weight in ensemble.items()}, some())[1])


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, where it first goes forwards
@cells
def test_jvp_and_forward_mode_are_the_gradient_along_a_direction(name):
    loss, weights = a_loss(name)
    direction = some(seed=1)
    value, got = torch.func.jvp(lambda values: loss(weights, values), (some(),), (direction,))
    with forward_ad.dual_level():
        dual = loss(weights, forward_ad.make_dual(some(), direction))
        assert_close(forward_ad.unpack_dual(dual).tangent, got)
    want, slope = loss(weights, some()), slopes(loss, weights, some())[1]
    assert_close(value, want)
    assert_close(got, (slope * direction).sum())


def test_other_kernels_say_why_they_do_not_run():
    cell, inputs, found = make_cell("lstm", F, H), some_ragged(LENGTHS, F, dtype=torch.float32), []

    def look(values: Tensor) -> Tensor:
        found.append(choose(cell, inputs))
        for kernel in ("tiles", "native"):
            with pytest.raises(UnsupportedError, match="a function transform of torch is active"):
                choose(cell, inputs, kernel)
        return values.sum()

    torch.func.grad(look)(inputs.values)
    torch.func.vmap(look)(inputs.values)
    with forward_ad.dual_level():
        look(inputs.values)
    assert [choice.name for choice in found] == ["reference"] * 3
    assert choose(cell, inputs).name == "tiles"
