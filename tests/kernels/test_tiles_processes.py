"""Compiled code on disk, several processes, several threads."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from random_sequences import some_ragged
from unrolled.cells.registry import make_cell
from unrolled.kernels.cpu import calls, compiler, pool
from unrolled.nn.unroll import unroll

PROGRAM = """
import torch
from unrolled.cells.registry import make_cell
from unrolled.nn.unroll import unroll
from unrolled.ragged import Ragged
torch.manual_seed(0)
cell = make_cell("gru", 2, 3)
values = torch.randn(5, 2)
got, _ = unroll(cell, Ragged(values, [2, 3]), kernel="tiles")
got.values.sum().backward()
want, _ = unroll(cell, Ragged(values, [2, 3]), kernel="reference")
assert torch.allclose(got.values, want.values, atol=1e-6)
print("right")
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {compiler.FOLDER_VARIABLE: str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.o"))


def test_processes_that_start_together_share_the_cache_safely(tmp_path):
    folder = tmp_path / "new" / "cache"
    processes = [start(folder) for _ in range(3)]
    for process in processes:
        assert process.communicate(timeout=120)[0] == "right\n"
        assert process.returncode == 0
    assert len(files(folder)) == 3  # forward, backward and packing, and nothing half written beside them
    assert len(list(folder.iterdir())) == 3


def test_a_damaged_file_of_the_cache_is_compiled_again(tmp_path):
    assert start(tmp_path).communicate(timeout=120)[0] == "right\n"
    before = {path: path.read_bytes() for path in files(tmp_path)}
    for path, content in before.items():
        path.write_bytes(content[: len(content) // 2])
    assert start(tmp_path).communicate(timeout=120)[0] == "right\n"
    assert {path: path.read_bytes() for path in files(tmp_path)} == before


def test_where_nothing_can_be_written_the_kernels_still_run(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder", encoding="utf-8")
    process = start(blocked / "cache")
    assert process.communicate(timeout=120)[0] == "right\n"
    assert process.returncode == 0


def test_the_cache_is_read_and_not_compiled_twice(tmp_path, monkeypatch):
    monkeypatch.setenv(compiler.FOLDER_VARIABLE, str(tmp_path))
    assert start(tmp_path).communicate(timeout=120)[0] == "right\n"
    calls.forward_kernel.cache_clear()
    monkeypatch.setattr(compiler, "_loaded", {})
    monkeypatch.setattr(compiler, "compiled", lambda *_: pytest.fail("compiled again"))
    with torch.no_grad():
        some = some_ragged([2, 3], 2, dtype=torch.float32)
        cell = make_cell("gru", 2, 3)
        calls.forward_kernel.cache_clear()
        with torch.enable_grad():
            unroll(cell, some, kernel="tiles")
    calls.forward_kernel.cache_clear()


@pytest.mark.parametrize("openmp", [True, False])
def test_both_ways_to_share_the_work_say_the_same(openmp, monkeypatch):
    if openmp and pool._team() is None:
        pytest.skip("this build of torch does not bring its OpenMP library as a file")
    cell, some = make_cell("lstm", 4, 20), some_ragged([30, 20, 10, 5], 4, dtype=torch.float32)
    want, _ = unroll(cell, some, kernel="tiles")
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 3)
    if not openmp:
        monkeypatch.setattr(pool, "_team", lambda: None)
    got, _ = unroll(cell, some, kernel="tiles")
    torch.testing.assert_close(got.values, want.values)


def test_several_threads_of_python_at_once(monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 2)
    cell, some = make_cell("gru", 4, 20), some_ragged([30, 20, 10, 5], 4, dtype=torch.float32)
    want, _ = unroll(cell, some, kernel="tiles")
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            got, _ = unroll(cell, some, kernel="tiles")
            if not torch.equal(got.values, want.values):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes_too(monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 2)
    cell, some = make_cell("gru", 4, 20), some_ragged([30, 20, 10, 5], 4, dtype=torch.float32)
    with torch.no_grad():
        want, _ = unroll(cell, some, kernel="tiles")
        loader = torch.utils.data.DataLoader(_Unrolled(cell, some), batch_size=None, num_workers=2, timeout=60)
        for got in loader:
            assert torch.equal(got, want.values)


class _Unrolled(torch.utils.data.Dataset):
    """A data set whose items are computed by the kernel, in the workers."""

    def __init__(self, cell, some):
        self.cell, self.some = cell, some

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with torch.no_grad():
            return unroll(self.cell, self.some, kernel="tiles")[0].values
