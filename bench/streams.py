"""A step of a stream beside the same loop with torch's LSTMCell and with onnxruntime, interleaved in one run.

All three do the same job: a list of raw numbers comes in, an LSTM of 128 units and a linear layer read it, a list of
numbers goes out, and the state is kept by whoever asks. First one stream at a time; then many side by side; then
events of different users that arrive one by one, each with a state of his own in a dictionary, beside `Sessions`, which
gathers what waits.

Run: python bench/streams.py [--hidden 128] [--features 4] [--streams 1024] [--rounds 9]
"""

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

import unrolled as ur
from unrolled.streaming.sessions import Sessions

EVENTS = 4096  # of users that arrive one by one


def a_model(features: int, hidden: int) -> ur.SequenceModel:
    """What it has learnt does not matter; its answers are compared with the peers'."""
    frames = np.random.default_rng(0).normal(size=(20, 30, features)).tolist()
    model = ur.SequenceModel(hidden_size=hidden, dropout=0.0)
    return model.fit([{"frames": one} for one in frames], epochs=1, baselines=False, validation=0.0)


class Torch:
    """The loop that a careful user of torch writes."""

    def __init__(self, model: Any) -> None:
        cell, head = model.network_.layers.layers[0].cell, model.network_.head.linear
        self.cell = torch.nn.LSTMCell(cell.input_size, cell.hidden_size)
        self.cell.load_state_dict(
            {name: getattr(cell, name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        )
        self.head, self.hidden = head, cell.hidden_size

    def start(self, rows: int) -> Any:
        return torch.zeros(rows, self.hidden), torch.zeros(rows, self.hidden)

    def step(self, event: list[float], state: Any) -> tuple[list[float], Any]:
        with torch.inference_mode():
            state = self.cell(torch.tensor([event]), state)
            return self.head(state[0])[0].tolist(), state

    def many(self, events: list[list[float]], state: Any) -> tuple[list[list[float]], Any]:
        with torch.inference_mode():
            state = self.cell(torch.tensor(events), state)
            return self.head(state[0]).tolist(), state


class Onnx:
    """The same model in onnxruntime, the state passed by hand."""

    def __init__(self, model: Any, path: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        made = str(model.export(path))
        self.session = onnxruntime.InferenceSession(made, options, providers=["CPUExecutionProvider"])
        given = self.session.get_inputs()
        self.names = [one.name for one in given if one.name.startswith("state.")]
        self.value = next(one.name for one in given if not one.name.startswith(("state.", "lengths")))
        self.lengths = any(one.name == "lengths" for one in given)
        self.hidden = given[[one.name for one in given].index(self.names[0])].shape[-1]
        self.outputs = ["answer", *(f"next.{name}" for name in self.names)]
        known = [one.name for one in self.session.get_outputs()]
        self.outputs = known[: 1 + len(self.names)] if not set(self.outputs) <= set(known) else self.outputs

    def start(self, rows: int) -> Any:
        return [np.zeros((rows, self.hidden), np.float32) for _ in self.names]

    def _run(self, values: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        feeds = {self.value: values, **dict(zip(self.names, state, strict=True))}
        answer, *state = self.session.run(self.outputs, feeds)
        return answer, state

    def step(self, event: list[float], state: Any) -> tuple[list[float], Any]:
        answer, state = self._run(np.array([[event]], dtype=np.float32), state)
        return answer[0, 0].tolist(), state

    def many(self, events: list[list[float]], state: Any) -> tuple[list[list[float]], Any]:
        answer, state = self._run(np.array(events, dtype=np.float32)[:, None], state)
        return answer[:, 0].tolist(), state


def micros(job: Callable[[], Any], calls: int) -> float:
    """Of one call, in microseconds."""
    start = time.perf_counter()
    for _ in range(calls):
        job()
    return (time.perf_counter() - start) / calls * 1e6


def compared(title: str, jobs: dict[str, Callable[[], Any]], calls: int, rounds: int, per: int = 1) -> None:
    """Rounds of all, in turn; medians of time and of the ratio to ours, which is the first."""
    gc.collect()
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds + 1):
        for name, job in jobs.items():
            times[name].append(micros(job, calls) / per)
    ours = next(iter(jobs))
    print(f"\n{title}")
    for name, each in times.items():
        ratio = statistics.median(other / own for other, own in zip(each[1:], times[ours][1:], strict=True))
        spread = f"{min(each[1:]):.2f} to {max(each[1:]):.2f}"
        print(f"  {name:<44} {statistics.median(each[1:]):8.2f} us ({spread})  {ratio:5.2f} times ours")


def agree(one: list[float], other: list[float]) -> None:
    if not np.allclose(one, other, rtol=1e-4, atol=1e-4):
        raise SystemExit(f"the contestants do not say the same: {one} and {other}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("hidden", 128), ("features", 4), ("streams", 1024), ("rounds", 9), ("threads", 1)):
        options.add_argument(f"--{name}", type=int, default=value)
    asked = options.parse_args()
    torch.set_num_threads(asked.threads)
    model = a_model(asked.features, asked.hidden)
    rng = np.random.default_rng(1)
    events = rng.normal(size=(asked.streams, asked.features)).tolist()
    with tempfile.TemporaryDirectory() as folder:
        peers: dict[str, Any] = {
            "torch LSTMCell": Torch(model),
            "onnxruntime": Onnx(model, Path(folder) / "model.onnx", asked.threads),
        }
        stream = model.stream()
        print(f"LSTM of {asked.hidden} units, {asked.features} numbers in and out, {asked.threads} thread(s)")

        _, state = stream.step(events[0])
        jobs: dict[str, Callable[[], Any]] = {"unrolled stream.step": lambda: stream.step(events[1], state)}
        for name, peer in peers.items():
            first, before = peer.step(events[0], peer.start(1))
            agree(first, stream.step(events[0])[0]["next"])
            jobs[name] = lambda peer=peer, before=before: peer.step(events[1], before)
        compared("one step of one stream", jobs, 4000, asked.rounds)

        fresh = [None] * asked.streams
        said, states = stream.step_many(events, fresh)
        apart = list(states)
        jobs = {
            "unrolled stream.step_many": lambda: stream.step_many(events, states),
            "unrolled stream.step_many, states in a list": lambda: list(stream.step_many(events, apart)[1]),
        }
        for name, peer in peers.items():
            all_said, before = peer.many(events, peer.start(asked.streams))
            agree(all_said[-1], said[-1]["next"])
            jobs[f"{name}, one batch"] = lambda peer=peer, before=before: peer.many(events, before)
        compared(f"a step of {asked.streams:,} streams, for each of them", jobs, 20, asked.rounds, asked.streams)

        users = [f"user {number}" for number in rng.permutation(EVENTS)]
        arriving = [(user, events[number % len(events)]) for number, user in enumerate(users)]
        sessions = Sessions(stream, max_batch=asked.streams)
        gc.freeze()

        def futures() -> None:
            for future in [sessions.submit(user, event) for user, event in arriving]:
                future.result()

        jobs = {
            "unrolled Sessions.step_many": lambda: sessions.step_many(arriving),
            "unrolled Sessions.submit": futures,
        }
        for name, peer in peers.items():
            jobs[f"{name}, one by one"] = one_by_one(peer, arriving)
        compared("events of different users, for each of them", jobs, 1, asked.rounds, EVENTS)
        sessions.close()


def one_by_one(peer: Any, arriving: list[tuple[str, list[float]]]) -> Callable[[], None]:
    kept: dict[str, Any] = {}

    def run() -> None:
        for user, event in arriving:
            state = kept.get(user)
            _, kept[user] = peer.step(event, peer.start(1) if state is None else state)

    return run


if __name__ == "__main__":
    main()
