"""The table of kernel arguments: a value of another kind never becomes an address, and none is left out."""

import numpy as np
import pytest
import torch

import unrolled as ur
from kernels.tile_checks import NAMES, a_cell
from unrolled.kernels.cpu import calls
from unrolled.kernels.cpu.arguments import BACKWARD, FORWARD, Argument, Kind, Value, addresses, place_of
from unrolled.ragged import Ragged

INT64, FLOAT32 = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.float32)
KINDS = {
    Kind.size: [3],
    Kind.integers: [INT64, torch.from_numpy(INT64), place_of(INT64)],
    Kind.floats: [FLOAT32, torch.from_numpy(FLOAT32)],
}
BFLOAT16 = torch.zeros(2, dtype=torch.bfloat16)
NONE_FITS = [torch.zeros(2, dtype=torch.float64), torch.zeros(2, dtype=torch.int32), np.zeros(2), "3", 3.0]
arguments = pytest.mark.parametrize("argument", Argument, ids=lambda one: one.name)


@arguments
def test_only_values_of_its_kind_are_passed(argument):
    stored = Kind.floats if argument.kind is Kind.terms else argument.kind
    fits = [*KINDS[stored], *([BFLOAT16] if argument.kind is Kind.terms else [])]
    others = [value for kind, values in KINDS.items() if kind is not stored for value in values]
    others += [] if argument.kind is Kind.terms else [BFLOAT16]
    assert all(isinstance(addresses([argument], {argument: value})[0], int) for value in fits)
    for value in [*others, *NONE_FITS]:
        with pytest.raises(TypeError, match=f"kernel argument {argument.name}: expected {argument.kind.value}"):
            addresses([argument], {argument: value})


@arguments
def test_only_optional_memory_may_be_missing(argument):
    if argument.optional:
        assert addresses([argument], {argument: None}) == [0]
    else:
        with pytest.raises(TypeError, match="received None"):
            addresses([argument], {argument: None})


def test_every_argument_has_its_own_place_in_a_pass():
    assert set(FORWARD) | set(BACKWARD) == set(Argument)
    assert len({one.value for one in Argument}) == len(Argument)


@pytest.mark.parametrize("name", NAMES)
def test_calls_give_each_declared_argument_and_no_other(name, monkeypatch):
    passed = []

    def counted(arguments: tuple[Argument, ...], given: dict[Argument, Value]) -> list[int]:
        passed.append((arguments, set(given)))
        return addresses(arguments, given)

    monkeypatch.setattr(calls, "addresses", counted)
    inputs = Ragged.from_sequences([torch.randn(3, 2), torch.randn(1, 2)])
    outputs, _ = ur.unroll(a_cell(name, 2, 4), inputs, kernel="tiles")
    outputs.values.sum().backward()
    assert {arguments for arguments, _ in passed} == {FORWARD, BACKWARD}
    assert all(given == set(arguments) for arguments, given in passed)
