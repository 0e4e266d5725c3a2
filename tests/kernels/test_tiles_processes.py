"""Compiled code on disk, several processes, several threads."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import torch

from random_sequences import everything, noise, some_ragged
from unrolled.cells.registry import make_cell
from unrolled.kernels.cpu import cache, calls, compiler, pool
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

SHARED = """
import sys
import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel
from random_sequences import some_ragged
from unrolled.nn.stack import Stack

rank, folder = int(sys.argv[1]), sys.argv[2]
batches = [some_ragged([3, 0, 5], 4, seed=1, dtype=torch.float32), some_ragged([7, 2], 4, seed=2, dtype=torch.float32)]


def trained(wrap, parts):
    torch.manual_seed(0)
    stack = Stack(4, 6, "lstm", num_layers=2, bidirectional=True)
    if rank == 0:
        torch.save(stack.state_dict(), f"{folder}/fresh.pt")
    module, optimizer = wrap(stack), torch.optim.SGD(stack.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = sum(module(part)[0].values.square().sum() for part in parts) / len(parts)
        loss.backward()
        optimizer.step()
    return stack.state_dict()


distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
torch.save(trained(DistributedDataParallel, [batches[rank]]), f"{folder}/{rank}.pt")
distributed.barrier()
distributed.destroy_process_group()
if rank == 0:
    torch.save(trained(lambda stack: stack, batches), f"{folder}/alone.pt")
"""


def start(folder: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {cache.FOLDER_VARIABLE: str(folder), "OMP_NUM_THREADS": "1"}
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
    monkeypatch.setenv(cache.FOLDER_VARIABLE, str(tmp_path))
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


def at_once(count: int, work: Callable[[], object]) -> None:
    """The same work in so many threads of Python; what one of them raises is raised here."""
    with ThreadPoolExecutor(count) as threads:
        for future in [threads.submit(work) for _ in range(count)]:
            future.result()


@pytest.mark.parametrize("name", ["gru", "lstm_layer_norm", "lstm_projected"])
def test_several_threads_of_python_train_at_once(name, monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 2)
    cell, some = make_cell(name, 4, 20), some_ragged([30, 20, 10, 5], 4, dtype=torch.float32)
    run, state = partial(unroll, kernel="tiles"), cell.initial_state(4)
    want = everything(run, cell, some, state)
    with torch.no_grad():
        answer, _ = run(cell, some)

    def work() -> None:
        for _ in range(10):
            got = everything(run, cell, some, state)
            assert all(torch.equal(got[part], tensor) for part, tensor in want.items())
            with torch.no_grad():
                assert torch.equal(run(cell, some)[0].values, answer.values)

    at_once(4, work)


def test_torchs_own_threads_work_beside_them():
    cell, some = make_cell("gru", 64, 128), some_ragged([40] * 16, 64, dtype=torch.float32)
    matrix = noise(300, 300, dtype=torch.float32)
    state, run = cell.initial_state(16), partial(unroll, kernel="tiles")
    torch.set_num_threads(2)
    try:
        want, product = everything(run, cell, some, state), matrix @ matrix

        def work() -> None:
            torch.set_num_threads(2)  # each thread of Python has a number of its own
            for _ in range(5):
                assert torch.equal(matrix @ matrix, product)
                got = everything(run, cell, some, state)
                assert all(torch.equal(got[part], tensor) for part, tensor in want.items())

        work()
        at_once(2, work)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("how", [how for how in ("fork", "spawn") if how in multiprocessing.get_all_start_methods()])
def test_workers_that_load_data_compute_too(how, monkeypatch):
    monkeypatch.setattr(calls, "threads_for", lambda work, least: 2)  # a forked worker inherits it
    cell, some = make_cell("gru", 4, 20), some_ragged([30, 20, 10, 5], 4, dtype=torch.float32)
    with torch.no_grad():
        want, _ = unroll(cell, some, kernel="tiles")
        options = {"batch_size": None, "num_workers": 2, "timeout": 60, "multiprocessing_context": how}
        for got in torch.utils.data.DataLoader(_Unrolled(cell, some), **options):
            assert torch.equal(got, want.values)


def test_two_processes_that_share_gradients_train_as_one(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    processes = [
        subprocess.Popen([sys.executable, "-c", SHARED, str(rank), str(tmp_path)], env=environment) for rank in (0, 1)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    one, other, alone = (torch.load(tmp_path / f"{name}.pt") for name in ("0", "1", "alone"))
    fresh = torch.load(tmp_path / "fresh.pt")
    for name, weight in alone.items():
        assert torch.equal(one[name], other[name])
        torch.testing.assert_close(one[name], weight, rtol=1e-5, atol=1e-6)
        assert not torch.equal(weight, fresh[name])


class _Unrolled(torch.utils.data.Dataset):
    """A data set whose items are computed by the kernel, in the workers."""

    def __init__(self, cell, some):
        self.cell, self.some = cell, some

    def __len__(self):
        return 4

    def __getitem__(self, index):
        with torch.no_grad():
            return unroll(self.cell, self.some, kernel="tiles")[0].values
