"""A layer for the kernels: a cell's name, a machine, and weights packed for its tiles."""

from collections.abc import Mapping, Sequence
from functools import cache, cached_property, partial
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.kernels.cpu import packing
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.base import Pointwise, Rowwise
from unrolled.kernels.cpu.pointwise.registry import POINTWISE
from unrolled.kernels.noise import Noise


class Layer:
    """Weights in torch's layout, and their layout for the tiles.

    Args:
        name: key in `POINTWISE`.
        machine: the processor to run as.
        weights: by name, as in `Cell.weight_shapes`: weight_ih (gates * H, F), bias_ih (gates * H), and the others
            of the cell.
        pairs: products in bfloat16, see `Plan`.
        noise: of the recurrence; None = none.
    """

    def __init__(
        self,
        name: str,
        machine: Machine,
        weights: Mapping[str, Tensor],
        pairs: bool = False,
        noise: Noise | None = None,
    ) -> None:
        self.name, self.machine, self.weights, self.noise = name, machine, weights, noise
        cell = POINTWISE[name]
        self.input_size: int = weights["weight_ih"].shape[1]
        self.hidden_size = int(weights["weight_ih"].shape[0]) // len(cell.input_gates)  # in a graph a shape is a symbol
        drops, zones = (False, False) if noise is None else (noise.drops, noise.zones)
        self.plan = _plan(name, machine, self.hidden_size, pairs, drops, zones)
        self.padded = self.plan.padded(self.hidden_size)
        self.groups = self.padded // self.plan.units
        # width of its output, and the padded width of a row
        self.output_size, self.shown = self.hidden_size, self.padded
        if self.plan.projected:
            self.output_size = int(weights["weight_hr"].shape[0])
            self.shown = -(-self.output_size // machine.width) * machine.width
        self.padded_inputs = -(-self.input_size // machine.width) * machine.width
        self.input_stride, self.left_stride = self.plan.stride(self.input_size), self.plan.stride(self.shown)
        self.row_width = self.groups * self.plan.width + self.plan.tail

    @cached_property
    def bias(self) -> Tensor:
        """Return the initial value of every slot."""
        if isinstance(self.plan.cell, Rowwise):
            return self.weights["bias_ih"].new_zeros(self.groups, self.plan.width)
        return packing.bias_of(self.weights["bias_ih"], self.weights.get("bias_hh"), self.plan, self.hidden_size)

    @cached_property
    def own(self) -> Tensor:
        """Return the units' own numbers; empty where they have none."""
        if not self.plan.cell.num_own:
            return self.weights["weight_ih"].new_empty(0)
        with torch.no_grad():
            numbers = self.plan.cell.own_numbers(self._own_weights())
        return packing.own_of(numbers, self.weights["weight_ih"], self.plan, self.hidden_size)

    def left(self, values: Tensor, stride: int) -> Tensor:
        """Convert rows to the left side of a product."""
        return packing.narrowed(values, stride) if self.plan.pairs else values

    def forward_weights(self, keep: bool) -> list[Tensor]:
        """Pack both weights for products whose result is the slots; in training they are new at each call."""
        plan, packed = self.plan, []
        for weight, gates in self._products():
            pack = partial(packing.along_units, gates=gates, plan=plan, hidden_size=self.hidden_size)
            packed.append(pack(weight) if keep else packing.kept(weight, (plan, gates), pack))
        return packed

    def backward_weights(self) -> list[Tensor]:
        """Pack both weights for products whose left side is the slots."""
        widths = (self.padded_inputs, self.shown)
        return [
            packing.along_depth(weight, gates, self.plan, self.hidden_size, columns)
            for (weight, gates), columns in zip(self._products(), widths, strict=False)
        ]

    def projection(self, keep: bool) -> Tensor | None:
        """Pack the projection for a product whose left side is the hidden state; None without one."""
        if not self.plan.projected:
            return None

        def pack(weight: Tensor) -> Tensor:
            return packing.along_depth(weight.T, (0,), self.plan.unpaired, self.hidden_size, self.shown)

        weight = self.weights["weight_hr"]
        return pack(weight) if keep else packing.kept(weight, self.plan, pack)

    def projection_back(self) -> Tensor | None:
        """Pack the projection for a product whose left side is the gradient of the output; None without one."""
        if not self.plan.projected:
            return None
        weight, plan = self.weights["weight_hr"], self.plan.unpaired
        return packing.along_depth(weight, (0,), plan, self.output_size, self.padded)

    def zero_gradients(self, chunks: int) -> Tensor:
        """Allocate space for the gradients, one row per chunk."""
        return self.bias.new_zeros(chunks, sum(map(prod, self._gradient_shapes)))

    def gradients_in(self, row: Tensor) -> "WeightGradients":
        """Return the gradients as views of a row of that space."""
        shapes = self._gradient_shapes
        parts = row.split([prod(shape) for shape in shapes])
        return WeightGradients(*(part.view(shape) for part, shape in zip(parts, shapes, strict=True)))

    @cached_property
    def _gradient_shapes(self) -> list[tuple[int, ...]]:
        plan, width = self.plan, self.machine.width
        return [
            (self.groups, self.input_size, plan.input_vectors * width),
            (self.groups, self.output_size, plan.recurrent_vectors * width),
            (self.groups, plan.width),
            tuple(self.own.shape),
            (self.groups, self.output_size if plan.projected else 0, plan.units),
        ]

    def unpack(self, chunks: Sequence["WeightGradients"]) -> list[Tensor]:
        """Sum gradients over all chunks, in torch's layout and in the order of the given weights."""
        plan, size = self.plan, self.hidden_size
        found = {name: torch.empty_like(weight) for name, weight in self.weights.items()}
        if isinstance(plan.cell, Pointwise):
            biases = [found[name] for name in ("bias_ih", "bias_hh") if name in found]
            packing.biases_from([chunk.bias for chunk in chunks], plan, biases, size)
        for index, (name, (_, gates)) in enumerate(zip(("weight_ih", "weight_hh"), self._products(), strict=False)):
            packing.unpacked([chunk[index] for chunk in chunks], gates, plan, found[name], size)
        if plan.projected:
            packing.unpacked([chunk.projection for chunk in chunks], (0,), plan, found["weight_hr"].T, size)
        if plan.cell.num_own:
            own = torch.stack([chunk.own for chunk in chunks]).sum(0)
            back = torch.func.vjp(plan.cell.own_numbers, self._own_weights())[1]  # an operator has no autograd
            slopes = back(packing.own_from(own, plan, size))[0]
            found |= {name: slope.clone() for name, slope in slopes.items()}  # an operator's results share no memory
        return list(found.values())

    def _own_weights(self) -> dict[str, Tensor]:
        """Return the weights that the units' own numbers come from."""
        others = ["weight_ih", "weight_hh", "weight_hr"]
        if isinstance(self.plan.cell, Pointwise):
            others += ["bias_ih", "bias_hh"]
        # torch rounds exp and similar functions differently on strided numbers, so they are made contiguous
        return {name: weight.detach().contiguous() for name, weight in self.weights.items() if name not in others}

    def _products(self) -> list[tuple[Tensor, tuple[int, ...]]]:
        cell = self.plan.cell
        pairs = [(self.weights["weight_ih"], cell.input_gates)]
        return pairs + ([(self.weights["weight_hh"], cell.recurrent_gates)] if cell.recurrent_gates else [])


class WeightGradients(NamedTuple):
    """Gradients in the order of the packed weights."""

    input_weights: Tensor
    recurrent_weights: Tensor
    bias: Tensor
    own: Tensor
    projection: Tensor


@cache
def _plan(name: str, machine: Machine, hidden_size: int, pairs: bool, drops: bool, zones: bool) -> Plan:
    """Return the plan for these arguments, always the same object, so that caches find it."""
    return Plan.of(POINTWISE[name], machine, hidden_size, pairs, drops, zones)
