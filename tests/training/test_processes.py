"""Ctrl-C in a real process, and two real processes under torchrun."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

from training.children import Child, run_endless
from training.toy import distributed, examples, gap, shorten, toy, train, weights
from unrolled.training.distributed import Processes
from unrolled.training.history import History
from unrolled.training.interrupts import catching_interrupts

# ---- Ctrl-C -----------------------------------------------------------------------------------------


def test_the_first_interrupt_ends_training_and_keeps_the_best(tmp_path):
    child = Child(run_endless, tmp_path, 0.01)
    while child.hear() != 8:
        pass
    child.signal(signal.SIGINT)
    updates = 8
    while (update := child.hear()) is not None:
        updates = update
    assert child.end() == 0, child.errors.read_text()
    assert child.errors.read_text().splitlines() == [
        "unrolled: stopping after this update and keeping the best model so far; Ctrl-C again stops at once"
    ]
    result = torch.load(tmp_path / "result.pt")
    history = History.from_json(result["history"])
    assert history.interrupted
    assert history.stopped == "interrupted"
    assert history.rows[-1].update == updates <= 12
    kept = toy()
    kept.load_state_dict(result["weights"])
    loss = kept.loss(examples(6, seed=9))
    assert loss.total.item() / loss.count == pytest.approx(history.best.validation_loss, rel=1e-5)


def test_the_second_interrupt_ends_at_once(tmp_path):
    child = Child(run_endless, tmp_path, 30.0)  # sleeps long after its first update
    assert child.hear() == 1
    child.signal(signal.SIGINT)
    heard_by = time.monotonic() + 60
    while not child.errors.read_text():
        assert time.monotonic() < heard_by
        time.sleep(0.01)
    child.signal(signal.SIGINT)
    child.process.join(10)
    assert child.end() == 1
    assert "KeyboardInterrupt" in child.errors.read_text()
    assert not (tmp_path / "result.pt").exists()


@pytest.fixture
def interruptible():
    """A process started in the background ignores SIGINT; here it is heard."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, before)


def test_an_ignored_interrupt_stays_ignored(interruptible):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with catching_interrupts(lambda: None):
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_the_handler_is_put_back_and_left_alone_outside_the_main_thread(interruptible):
    before = interruptible
    with catching_interrupts(lambda: None):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before
    seen = []

    def work():
        with catching_interrupts(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))
        train(epochs=1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


# ---- several processes ------------------------------------------------------------------------------


def test_two_processes_give_the_weights_of_one_and_resume(tmp_path, monkeypatch):
    program = Path(__file__).with_name("toy.py")
    path = os.pathsep.join([str(program.parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone", program, tmp_path],
        check=False, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for rank in range(2):  # threads that outlive their group abort some processes as they end
        assert "gloo" not in (tmp_path / f"threads{rank}.txt").read_text()
    one, expected = distributed()
    kept = [torch.load(tmp_path / f"weights{rank}.pt") for rank in range(2)]
    assert gap(kept[0], kept[1]) == 0
    assert gap(kept[0], expected) < 1e-6
    assert gap(expected, weights(toy())) > 1e-2
    histories = [json.loads((tmp_path / f"history{rank}.json").read_text()) for rank in range(2)]
    for row, other, alone in zip(histories[0]["rows"], histories[1]["rows"], one.history.rows, strict=True):
        assert row["validation_loss"] == other["validation_loss"]
        assert row["validation_loss"] == pytest.approx(alone.validation_loss, rel=1e-5)
        assert row["train_loss"] == pytest.approx(alone.train_loss, rel=1e-5)
    resumed = [torch.load(tmp_path / f"resumed{rank}.pt") for rank in range(2)]
    assert gap(resumed[0], resumed[1]) == 0
    assert gap(resumed[0], kept[0]) > 1e-4
    shorten(monkeypatch)
    alone, expected = distributed(epochs=0)
    for found, updates, stopped in (torch.load(tmp_path / f"until{rank}.pt") for rank in range(2)):
        assert gap(found, expected) < 1e-5
        assert (updates, stopped) == (alone.at.update, alone.history.stopped)


def test_rows_are_shared_out_once_each():
    batch = examples(7)
    shares = []
    for rank in range(9):
        processes = Processes(torch.device("cpu"))
        processes.rank, processes.world = rank, 9
        shares.append(processes.shard(batch))
    assert [len(part) for part in shares] == [1] * 7 + [0] * 2
    assert sum(part.num_steps for part in shares) == batch.num_steps
    processes.world = 2
    processes.rank = 1
    assert processes.shard(batch).lengths.tolist() == batch.lengths[1::2].tolist()


def test_one_process_sums_and_gathers_by_itself():
    processes = Processes(torch.device("cpu"))
    assert processes.first
    assert processes.sum(1.5, 2.0) == (1.5, 2.0)
    assert processes.gather("x") == ["x"]
    assert processes.shard(batch := examples(2)) is batch
