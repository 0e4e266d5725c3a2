"""Weights into the tiles' order and back: each element lands where the layout says, whatever the sizes."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import pad

from unrolled.kernels.cpu import packing
from unrolled.kernels.cpu.machine import Machine, available, host
from unrolled.kernels.cpu.plan import Plan
from unrolled.kernels.cpu.pointwise.registry import POINTWISE

machines = pytest.mark.parametrize("machine", available(), ids=lambda machine: machine.name)
names = st.sampled_from(sorted(POINTWISE))
sizes = st.tuples(st.integers(1, 70), st.integers(1, 40))  # H, columns


def a_plan(name: str, machine: Machine, units: int, pairs: bool = False) -> Plan:
    return Plan.of(POINTWISE[name], machine, units, pairs)


def slot_rows(weight: Tensor, gates: Any, plan: Plan, units: int) -> Tensor:
    """(groups, panels, gates, width, columns), zeros where there is no unit."""
    blocks = weight.view(-1, units, weight.shape[1])[list(gates)]
    blocks = pad(blocks, (0, 0, 0, plan.padded(units) - units))
    return blocks.view(len(gates), -1, plan.panels, plan.machine.width, weight.shape[1]).permute(1, 2, 0, 3, 4)


def in_words(terms: Tensor, dim: int) -> Tensor:
    """bfloat16, two neighbours along a dimension side by side as the last one."""
    narrow = pad(terms.bfloat16().movedim(dim, -1), (0, terms.shape[dim] % 2)).unflatten(-1, (-1, 2))
    return narrow.movedim(-2, dim)


def check_both(weight: Tensor, gates: Any, plan: Plan, units: int) -> None:
    rows = slot_rows(weight, gates, plan, units)
    by_column = rows.permute(0, 4, 1, 2, 3)  # (groups, columns, panels, gates, width)
    want = in_words(by_column, 1) if plan.pairs else by_column
    packed = packing.along_units(weight, gates, plan, units)
    assert torch.equal(packed.view(want.dtype).flatten(), want.flatten())

    width = plan.machine.width
    columns = -(-weight.shape[1] // width) * width
    flat = pad(rows.flatten(0, 3), (0, columns - weight.shape[1]))  # (slots, columns)
    wide = columns // (plan.machine.product_vectors * width) * plan.machine.product_vectors * width
    tiles = [*flat[:, :wide].split(plan.machine.product_vectors * width, 1)] if wide else []
    tiles += [*flat[:, wide:].split(width, 1)] if wide < columns else []
    want = torch.cat([(in_words(tile, 0) if plan.pairs else tile).flatten() for tile in tiles])
    packed = packing.along_depth(weight, gates, plan, units, columns)
    assert torch.equal(packed.view(want.dtype).flatten(), want)


@machines
@given(name=names, sizes=sizes)
def test_packed_weights_are_the_layout_s(machine, name, sizes):
    units, columns = sizes
    plan = a_plan(name, machine, units)
    gates = plan.cell.input_gates
    check_both(torch.randn(len(gates) * units, columns), gates, plan, units)


@machines
@given(sizes=sizes)
def test_a_transposed_weight_is_read_where_it_lies(machine, sizes):
    units, columns = sizes
    plan, weight = a_plan("LSTM", machine, units), torch.randn(columns, 4 * units).T
    for pack in (packing.along_units, lambda *given: packing.along_depth(*given, columns=64)):
        assert torch.equal(
            pack(weight, (0, 1, 2, 3), plan, units), pack(weight.contiguous(), (0, 1, 2, 3), plan, units)
        )


@pytest.mark.skipif(not host().has_pairs, reason="this processor has no product of bfloat16 pairs (AVX512_BF16)")
@given(name=names, sizes=sizes)
def test_packed_pairs_are_the_layout_s(name, sizes):
    units, columns = sizes
    plan = a_plan(name, host(), units, pairs=True)
    gates = plan.cell.input_gates
    check_both(torch.randn(len(gates) * units, columns), gates, plan, units)


@machines
@given(name=names, sizes=sizes, chunks=st.integers(1, 3))
def test_gradients_come_back_to_where_weights_came_from(machine, name, sizes, chunks):
    units, columns = sizes
    plan = a_plan(name, machine, units)
    gates = plan.cell.input_gates
    weights = [torch.randn(len(gates) * units, columns) for _ in range(chunks)]
    packed = [
        packing.along_units(weight, gates, plan, units).view(-1, columns, plan.input_vectors * plan.machine.width)
        for weight in weights
    ]
    found = torch.full_like(weights[0], torch.nan)
    packing.unpacked(packed, gates, plan, found, units)
    want = weights[0].clone()
    for weight in weights[1:]:
        want += weight
    assert torch.equal(found, want)


@machines
@given(name=names, units=st.integers(1, 70))
def test_biases_meet_in_the_slots_and_part_again(machine, name, units):
    plan = a_plan(name, machine, units)
    cell = plan.cell
    given_biases = [torch.randn(len(gates) * units) for gates in (cell.input_gates, cell.recurrent_gates) if gates]
    packed = packing.bias_of(given_biases[0], given_biases[1] if len(given_biases) > 1 else None, plan, units)
    slots = torch.zeros(cell.slots, plan.padded(units))
    for bias, gates, first in zip(
        given_biases,
        (cell.input_gates, cell.recurrent_gates),
        (0, cell.slots - len(cell.recurrent_gates)),
        strict=False,
    ):
        slots[first : first + len(gates), :units] += bias.view(-1, units)[list(gates)]
    want = slots.view(cell.slots, -1, plan.panels, plan.machine.width).permute(1, 2, 0, 3)
    assert torch.equal(packed.flatten(), want.flatten())

    ones = torch.ones_like(packed)
    into = [torch.full_like(bias, torch.nan) for bias in given_biases]
    packing.biases_from([ones, ones], plan, into, units)
    for bias in into:
        assert torch.equal(bias, torch.full_like(bias, 2.0))
