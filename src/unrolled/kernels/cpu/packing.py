"""Packing of weights in the order in which the tiles read them, and unpacking of their gradients."""

import weakref
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unrolled.kernels.cpu.moves import MoveKind, move
from unrolled.kernels.cpu.plan import Plan


class _Packed(NamedTuple):
    weight: weakref.ref[Tensor]
    values: Tensor  # values of the weight when it was packed
    packed: Tensor


_packed: dict[tuple[Any, ...], _Packed] = {}


def along_units(weight: Tensor, gates: Sequence[int], plan: Plan, hidden_size: int) -> Tensor:
    """Pack a weight for products whose result is the slots: (groups, depth, vectors of a group, width).

    With pairs two terms of the depth are halves of a word: (groups, words, vectors of a group, width).
    """
    depth = weight.shape[1]
    packed = weight.new_empty(
        plan.padded(hidden_size) // plan.units, plan.terms(depth), plan.panels * len(gates), plan.machine.width
    )
    _move(MoveKind.units, weight, gates, plan, hidden_size, packed, slots=len(gates))
    return packed


def along_depth(weight: Tensor, gates: Sequence[int], plan: Plan, hidden_size: int, columns: int) -> Tensor:
    """Pack a weight for products whose left side is the slots: column tiles (values of the slots, columns), end to end.

    With pairs two values of the slots are halves of a word: (words, columns).
    """
    packed = weight.new_empty(plan.terms(plan.padded(hidden_size) * len(gates)) * columns)
    tile = plan.machine.product_vectors * plan.machine.width
    _move(MoveKind.depth, weight, gates, plan, hidden_size, packed, padded_columns=columns, tile=tile)
    return packed


def _move(
    kind: MoveKind, weight: Tensor, gates: Sequence[int], plan: Plan, units: int, packed: Tensor, **more: int
) -> None:
    """Move values between a weight in torch's order, a vector or a matrix, and its packed form."""
    move(
        plan.machine,
        plan.pairs and kind in (MoveKind.units, MoveKind.depth),
        kind=kind,
        weight=weight.data_ptr(),
        row_step=weight.stride(0),
        column_step=weight.stride(1) if weight.ndim > 1 else 0,
        gates=_addresses(tuple(gates)).ctypes.data,
        num_gates=len(gates),
        hidden_size=units,
        columns=weight.shape[1] if weight.ndim > 1 else 1,
        groups=plan.padded(units) // plan.units,
        panels=plan.panels,
        packed=packed.data_ptr(),
        **more,
    )


@cache
def _addresses(gates: tuple[int, ...]) -> NDArray[np.int64]:
    return np.array(gates, dtype=np.int64)


def narrowed(values: Tensor, words: int) -> Tensor:
    """Convert left rows of a product to pairs: bfloat16, padded with zeros to `words` words."""
    narrow = values.bfloat16()
    if values.shape[1] < 2 * words:
        narrow = torch.nn.functional.pad(narrow, (0, 2 * words - values.shape[1]))
    return narrow.contiguous()


def unpacked(gradients: Sequence[Tensor], gates: Sequence[int], plan: Plan, weight: Tensor, units: int) -> None:
    """Write the sum of gradients in the layout of `along_units` into one in torch's order."""
    _add_up(gradients, gates, plan, weight, units, slots=len(gates), first_slot=0)


def bias_of(bias_ih: Tensor, bias_hh: Tensor | None, plan: Plan, hidden_size: int) -> Tensor:
    """Compute the initial value of every slot, (groups, vectors of a group, width)."""
    packed = bias_ih.new_zeros(plan.padded(hidden_size) // plan.units, plan.vectors, plan.machine.width)
    for bias, (gates, first) in zip((bias_ih, bias_hh), _bias_slots(plan), strict=True):
        if bias is not None:
            more = {"slots": plan.cell.slots, "first_slot": first}
            _move(MoveKind.add_units, bias, gates, plan, hidden_size, packed, **more)
    return packed


def biases_from(gradients: Sequence[Tensor], plan: Plan, weights: Sequence[Tensor], units: int) -> None:
    """Write the sum of gradients of the slots into those of bias_ih, and of bias_hh where there is one."""
    for bias, (gates, first) in zip(weights, _bias_slots(plan), strict=False):
        _add_up(gradients, gates, plan, bias, units, slots=plan.cell.slots, first_slot=first)


def _bias_slots(plan: Plan) -> list[tuple[tuple[int, ...], int]]:
    """Return the gates of the slots of bias_ih and of bias_hh, and the first slot of each."""
    cell = plan.cell
    return [(cell.input_gates, 0), (cell.recurrent_gates, cell.slots - len(cell.recurrent_gates))]


def _add_up(
    gradients: Sequence[Tensor], gates: Sequence[int], plan: Plan, weight: Tensor, units: int, **more: int
) -> None:
    for number, gradient in enumerate(gradients):
        _move(MoveKind.add_back if number else MoveKind.back, weight, gates, plan, units, gradient, **more)


def own_of(numbers: Sequence[Tensor], like: Tensor, plan: Plan, hidden_size: int) -> Tensor:
    """Pack the units' own numbers, (groups, panels, own numbers, width)."""
    rows = like.new_zeros(len(numbers), plan.padded(hidden_size))
    for row, number in zip(rows, numbers, strict=True):
        row[:hidden_size] = number
    return _by_panel(rows, plan)


def own_from(gradient: Tensor, plan: Plan, hidden_size: int) -> list[Tensor]:
    """Unpack gradients of the units' own numbers, (H,) each."""
    return list(_from_panels(gradient, plan.cell.num_own, plan)[:, :hidden_size])


def kept(weight: Tensor, form: Hashable, pack: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the packed form of a weight, packed again only when the weight has changed.

    torch's version counters miss some changes (fused optimizers, `.data`), so the values themselves are compared:
    that reads each weight once, while packing reads and writes it in strides.
    """
    key = (id(weight), form)
    found = _packed.get(key)
    if found is not None and found.weight() is weight and torch.equal(found.values, weight):
        return found.packed
    values = weight.detach().clone()
    packed = pack(values)
    _packed[key] = _Packed(weakref.ref(weight, lambda _: _packed.pop(key, None)), values, packed)
    return packed


def _by_panel(rows: Tensor, plan: Plan) -> Tensor:
    """Rearrange (rows, padded units) as (groups, panels, rows, width)."""
    by_panel = (len(rows), rows.shape[1] // plan.units, plan.panels, plan.machine.width)
    return rows.view(by_panel).permute(1, 2, 0, 3).contiguous()


def _from_panels(packed: Tensor, rows: int, plan: Plan) -> Tensor:
    """Invert `_by_panel`: return (rows, padded units)."""
    return packed.view(-1, plan.panels, rows, plan.machine.width).permute(2, 0, 1, 3).reshape(rows, -1)
