"""Weights in the order in which the tiles read them, and their gradients back in torch's order."""

import weakref
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled.kernels.cpu.plan import Plan


class _Packed(NamedTuple):
    weight: weakref.ref[Tensor]
    values: Tensor  # of the weight when it was packed
    packed: Tensor


_packed: dict[tuple[Any, ...], _Packed] = {}


def along_units(weight: Tensor, gates: Sequence[int], plan: Plan, hidden_size: int) -> Tensor:
    """For products whose result is the slots: (groups, depth, vectors of a group, width).

    In pairs each two terms of the depth are halves of a word: (groups, words, vectors of a group, width, 2).
    """
    if plan.pairs:
        weight = torch.nn.functional.pad(weight.bfloat16(), (0, weight.shape[1] % 2))
        by_word = _by_group(weight, gates, plan, hidden_size).unflatten(4, (-1, 2))
        return by_word.permute(1, 4, 2, 0, 3, 5).contiguous()
    return _by_group(weight, gates, plan, hidden_size).permute(1, 4, 2, 0, 3).contiguous()


def along_depth(weight: Tensor, gates: Sequence[int], plan: Plan, hidden_size: int, columns: int) -> Tensor:
    """For products whose left side is the slots: column tiles, each (values of the slots, columns), end to end.

    In pairs each two values of the slots are halves of a word: (words, columns, 2).
    """
    weight = weight.bfloat16() if plan.pairs else weight
    rows = _by_group(weight, gates, plan, hidden_size).permute(1, 2, 0, 3, 4).flatten(0, 3)  # (slots, depth)
    return column_tiles(rows, columns, plan)


def column_tiles(rows: Tensor, columns: int, plan: Plan) -> Tensor:
    """The right side of a product, (depth, columns), as `along_depth` lays it out."""
    width = plan.machine.width
    if columns > rows.shape[1]:
        rows = torch.nn.functional.pad(rows, (0, columns - rows.shape[1]))
    tile = plan.machine.product_vectors * width
    covered = rows.shape[1] // tile * tile
    parts = [
        _columns(part, size, plan.pairs).reshape(-1)
        for part, size in ((rows[:, :covered], tile), (rows[:, covered:], width))
        if part.shape[1]
    ]
    return torch.cat(parts)


def _columns(rows: Tensor, size: int, pairs: bool) -> Tensor:
    """(slots, columns) as tiles of so many columns: (tiles, slots, size), in pairs (tiles, words, size, 2)."""
    tiles = rows.unflatten(1, (-1, size))
    return tiles.unflatten(0, (-1, 2)).permute(2, 0, 3, 1) if pairs else tiles.transpose(0, 1)


def narrowed(values: Tensor, words: int) -> Tensor:
    """Left rows of a product in pairs: bfloat16, filled up with zeros to so many words."""
    narrow = values.bfloat16()
    if values.shape[1] < 2 * words:
        narrow = torch.nn.functional.pad(narrow, (0, 2 * words - values.shape[1]))
    return narrow.contiguous()


def unpacked(gradient: Tensor, gates: Sequence[int], plan: Plan, hidden_size: int, blocks: int) -> Tensor:
    """A gradient in the layout of `along_units`, in torch's order: (blocks * H, depth)."""
    depth = gradient.shape[1]
    by_gate = gradient.view(-1, depth, plan.panels, len(gates), plan.machine.width).permute(3, 0, 2, 4, 1)
    rows = by_gate.reshape(len(gates), -1, depth)[:, :hidden_size]
    whole = gradient.new_empty(blocks, hidden_size, depth)
    whole[list(gates)] = rows
    return whole.flatten(0, 1)


def bias_of(bias_ih: Tensor, bias_hh: Tensor | None, plan: Plan, hidden_size: int) -> Tensor:
    """What every slot starts from, (groups, vectors of a group, width)."""
    inputs_at, recurrent_at = _bias_places(plan, hidden_size)
    nothing = bias_ih.new_zeros(1)
    if bias_hh is None:
        return torch.cat([nothing, bias_ih])[inputs_at]
    both = torch.cat([nothing, bias_ih, bias_hh])
    return both[inputs_at] + both[recurrent_at]


@cache
def _bias_places(plan: Plan, hidden_size: int) -> tuple[Tensor, Tensor]:
    """Where in (0, bias_ih, bias_hh) the two parts of every slot's bias lie."""
    cell = plan.cell
    places = torch.zeros(2, cell.slots, plan.padded(hidden_size), dtype=torch.int64)
    begin = 1
    for part, gates, first in (
        (0, cell.input_gates, 0),
        (1, cell.recurrent_gates, cell.slots - len(cell.recurrent_gates)),
    ):
        for slot, gate in enumerate(gates, first):
            places[part, slot, :hidden_size] = begin + gate * hidden_size + torch.arange(hidden_size)
        begin += len(gates) * hidden_size
    return _by_panel(places[0], plan), _by_panel(places[1], plan)


def biases_from(gradient: Tensor, plan: Plan, hidden_size: int) -> dict[str, Tensor]:
    """Gradients of `bias_ih`, and of `bias_hh` where there is one, from that of the slots."""
    cell = plan.cell
    slots = _from_panels(gradient, cell.slots, plan)[:, :hidden_size]
    found = {}
    for name, gates, first in (
        ("bias_ih", cell.input_gates, 0),
        ("bias_hh", cell.recurrent_gates, cell.slots - len(cell.recurrent_gates)),
    ):
        if gates:
            whole = slots.new_empty(len(gates), hidden_size)
            whole[list(gates)] = slots[first : first + len(gates)]
            found[name] = whole.flatten()
    return found


def own_of(numbers: Sequence[Tensor], like: Tensor, plan: Plan, hidden_size: int) -> Tensor:
    """The units' own numbers, (groups, panels, own numbers, width)."""
    rows = like.new_zeros(len(numbers), plan.padded(hidden_size))
    for row, number in zip(rows, numbers, strict=True):
        row[:hidden_size] = number
    return _by_panel(rows, plan)


def own_from(gradient: Tensor, plan: Plan, hidden_size: int) -> list[Tensor]:
    """Gradients of the units' own numbers, (H,) each."""
    return list(_from_panels(gradient, plan.cell.num_own, plan)[:, :hidden_size])


def kept(weight: Tensor, form: Hashable, pack: Callable[[Tensor], Tensor]) -> Tensor:
    """The packed form of a weight, packed again only when the weight has changed.

    torch's version counters miss some changes (fused optimizers, `.data`), so the values themselves are compared:
    that reads each weight once, packing reads and writes it in strides.
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
    """(rows, padded units) as (groups, panels, rows, width)."""
    by_panel = (len(rows), rows.shape[1] // plan.units, plan.panels, plan.machine.width)
    return rows.view(by_panel).permute(1, 2, 0, 3).contiguous()


def _from_panels(packed: Tensor, rows: int, plan: Plan) -> Tensor:
    """The inverse: (rows, padded units)."""
    return packed.view(-1, plan.panels, rows, plan.machine.width).permute(2, 0, 1, 3).reshape(rows, -1)


def _by_group(weight: Tensor, gates: Sequence[int], plan: Plan, hidden_size: int) -> Tensor:
    blocks = weight.view(-1, hidden_size, weight.shape[1])  # (gates, H, depth)
    if gates != tuple(range(len(blocks))):
        blocks = blocks[list(gates)]
    if plan.padded(hidden_size) > hidden_size:
        blocks = torch.nn.functional.pad(blocks, (0, 0, 0, plan.padded(hidden_size) - hidden_size))
    return blocks.view(len(gates), -1, plan.panels, plan.machine.width, weight.shape[1])
