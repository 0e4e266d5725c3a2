"""What the tiles take a processor for."""

import platform

import llvmlite.binding as llvm
import pytest

from unrolled.kernels.cpu import machine as module
from unrolled.kernels.cpu.machine import MACHINES, Machine, available, host


@pytest.fixture
def forgetful():
    available.cache_clear()
    yield
    available.cache_clear()


def test_the_host_is_the_widest_machine():
    found = available()
    assert host() == found[0]
    assert [one.width for one in found] == sorted((one.width for one in found), reverse=True)
    assert {one.name for one in found} <= set(MACHINES)


def test_a_64_bit_arm_has_neon_even_where_llvm_cannot_tell(forgetful, monkeypatch):
    def cannot() -> dict[str, bool]:
        raise RuntimeError("unknown system")

    monkeypatch.setattr(llvm, "get_host_cpu_features", cannot)
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert [one.name for one in module.available()] == ["neon"]


def test_an_unknown_processor_is_a_plain_one(forgetful, monkeypatch):
    monkeypatch.setattr(llvm, "get_host_cpu_features", dict)
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert [one.name for one in module.available()] == ["plain"]
    assert not module.available()[0].has_vectors


@pytest.mark.parametrize("features", [{}, {"sse2": True, "avx": True, "avx2": False}, {"avx2": True, "fma": False}])
def test_a_64_bit_x86_without_avx2_still_computes_on_four_numbers_at_once(features, forgetful, monkeypatch):
    monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: features)
    monkeypatch.setattr(platform, "machine", lambda: "AMD64")
    (found,) = module.available()
    assert (found.name, found.width, found.has_vectors) == ("sse2", 4, True)


@pytest.mark.parametrize("registers", [16, 32])
@pytest.mark.parametrize("vectors", [0, 1, 2, 3, 4])
def test_the_sums_of_a_tile_and_its_columns_fit_the_registers(registers, vectors):
    rows = Machine("any", 8, registers, "", "").tile_rows(vectors)
    assert 1 <= rows <= 8
    assert rows * vectors + vectors + 1 <= registers
