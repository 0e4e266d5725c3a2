"""A step of a stream compared with the same loop with torch's LSTMCell and with onnxruntime, interleaved in one run.

All three do the same work: they take a list of raw numbers, apply an LSTM of 128 units and a linear layer, and return a
list of numbers; the caller keeps the state. First one stream at a time; then many in a batch; then events of different
users that arrive one by one, with their states in a dictionary, compared with `Sessions`, which batches waiting events.

Run: python bench/streams.py [--hidden 128] [--features 4] [--streams 1024] [--rounds 9]
"""

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

import unrolled as ur
from unrolled.streaming.sessions import Sessions

EVENTS = 4096  # of users that arrive one by one


def a_model(features: int, hidden: int) -> ur.SequenceModel:
    """A model whose answers are compared with the peers'; its accuracy does not matter."""
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
    """The same model in onnxruntime, with the state passed by the caller: the smallest graph, LSTM and linear layer."""

    def __init__(self, model: Any, threads: int) -> None:
        cell, head = model.network_.layers.layers[0].cell, model.network_.head.linear
        self.hidden = cell.hidden_size
        weights = {
            "W": iofc(cell.weight_ih)[None],
            "R": iofc(cell.weight_hh)[None],
            "B": np.concatenate([iofc(cell.bias_ih), iofc(cell.bias_hh)])[None],
            "head": head.weight.detach().numpy(),
            "bias": head.bias.detach().numpy(),
            "first": np.zeros(1, np.int64),
        }
        nodes = [
            helper.make_node("LSTM", ["x", "W", "R", "B", "", "h", "c"], ["", "yh", "yc"], hidden_size=self.hidden),
            helper.make_node("Squeeze", ["yh", "first"], ["flat"]),
            helper.make_node("Gemm", ["flat", "head", "bias"], ["y"], transB=1),
        ]
        state = (TensorProto.FLOAT, [1, "b", self.hidden])
        given = {"x": (TensorProto.FLOAT, [1, "b", cell.input_size]), "h": state, "c": state}
        answers = {"y": (TensorProto.FLOAT, ["b", len(head.bias)]), "yh": state, "yc": state}
        named = [[helper.make_tensor_value_info(n, *kind) for n, kind in some.items()] for some in (given, answers)]
        graph = helper.make_graph(nodes, "lstm", *named, [numpy_helper.from_array(v, n) for n, v in weights.items()])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        wanted = ["CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=wanted)

    def start(self, rows: int) -> Any:
        return tuple(np.zeros((1, rows, self.hidden), np.float32) for _ in range(2))

    def step(self, event: list[float], state: Any) -> tuple[list[float], Any]:
        answers, state = self.many([event], state)
        return answers[0], state

    def many(self, events: list[list[float]], state: Any) -> tuple[list[list[float]], Any]:
        feeds = {"x": np.array([events], dtype=np.float32), "h": state[0], "c": state[1]}
        answer, *state = self.session.run(None, feeds)
        return answer.tolist(), state


def iofc(weight: torch.Tensor) -> np.ndarray:
    """ONNX orders the gates i, o, f, c."""
    store, forget, candidate, output = weight.detach().chunk(4)
    return torch.cat([store, output, forget, candidate]).numpy()


def micros(job: Callable[[], Any], calls: int) -> float:
    """Time of one call, in microseconds."""
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
    peers: dict[str, Any] = {"torch LSTMCell": Torch(model), "onnxruntime": Onnx(model, asked.threads)}
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
