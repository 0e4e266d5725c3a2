"""A layer as the kernels see it: a cell's name, a machine, and weights packed for its tiles."""

from collections.abc import Sequence
from functools import cache, cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.kernels.cpu import packing
from unrolled.kernels.cpu.machine import Machine
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.registry import POINTWISE


class Layer:
    """Weights in torch's layout, and how they lie for the tiles.

    Args:
        name: key in `POINTWISE`.
        machine: the processor to run as.
        weights: weight_ih (gates * H, F), weight_hh (gates * H, H), bias_ih and bias_hh (gates * H).
    """

    def __init__(self, name: str, machine: Machine, weights: Sequence[Tensor]) -> None:
        self.name, self.machine = name, machine
        self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh = weights
        self.hidden_size: int = self.weight_hh.shape[1]
        self.input_size: int = self.weight_ih.shape[1]
        self.plan = _plan(name, machine, self.hidden_size)
        self.padded = self.plan.padded(self.hidden_size)
        self.groups = self.padded // self.plan.units
        self.padded_inputs = -(-self.input_size // machine.width) * machine.width
        self.row_width = self.groups * self.plan.width

    @cached_property
    def bias(self) -> Tensor:
        """What every slot starts from."""
        return packing.bias_of(self.bias_ih, self.bias_hh, self.plan, self.hidden_size)

    def forward_weights(self, keep: bool) -> list[Tensor]:
        """Both weights for products whose result is the slots; in training they are new at each call."""
        plan, packed = self.plan, []
        for weight, gates in self._both():
            pack = partial(packing.along_units, gates=gates, plan=plan, hidden_size=self.hidden_size)
            packed.append(pack(weight) if keep else packing.kept(weight, (plan, gates), pack))
        return packed

    def backward_weights(self) -> list[Tensor]:
        """Both weights for products whose left side is the slots."""
        widths = (self.padded_inputs, self.padded)
        return [
            packing.along_depth(weight, gates, self.plan, self.hidden_size, columns)
            for (weight, gates), columns in zip(self._both(), widths, strict=True)
        ]

    def zero_gradients(self) -> "WeightGradients":
        """Room for the gradients of one chunk."""
        zeros, width = self.weight_hh.new_zeros, self.machine.width
        return WeightGradients(
            zeros(self.groups, self.input_size, self.plan.input_vectors * width),
            zeros(self.groups, self.hidden_size, self.plan.recurrent_vectors * width),
            zeros(self.groups, self.plan.width),
        )

    def unpack(self, gradients: "WeightGradients") -> list[Tensor]:
        """Gradients of the four weights in torch's layout."""
        cell, blocks = self.plan.cell, self.weight_hh.shape[0] // self.hidden_size
        return [
            packing.unpacked(gradients.input_weights, cell.input_gates, self.plan, self.hidden_size, blocks),
            packing.unpacked(gradients.recurrent_weights, cell.recurrent_gates, self.plan, self.hidden_size, blocks),
            *packing.biases_from(gradients.bias, self.plan, self.hidden_size),
        ]

    def _both(self) -> list[tuple[Tensor, tuple[int, ...]]]:
        cell = self.plan.cell
        return [(self.weight_ih, cell.input_gates), (self.weight_hh, cell.recurrent_gates)]


class WeightGradients(NamedTuple):
    """Gradients in the order of the packed weights."""

    input_weights: Tensor
    recurrent_weights: Tensor
    bias: Tensor

    @staticmethod
    def sum_of(parts: Sequence["WeightGradients"]) -> "WeightGradients":
        """The sum, always in the same order."""
        if len(parts) == 1:
            return parts[0]
        return WeightGradients(*(torch.stack(pieces).sum(0) for pieces in zip(*parts, strict=True)))


@cache
def _plan(name: str, machine: Machine, hidden_size: int) -> Plan:
    """One object for each, so that caches find it."""
    return Plan.of(POINTWISE[name], machine, hidden_size)
