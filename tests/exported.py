"""Networks of every kind, batches for them, and exported models that are all asked in one way."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

from random_sequences import noise, shake
from unrolled.arrangements.direct_forecast import DirectForecast
from unrolled.arrangements.many_to_many import ManyToMany, NextStep
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.arrangements.next_item import NextItem
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.export.numpy_folder import export_numpy
from unrolled.export.onnx_model import NEXT, export_onnx
from unrolled.export.runner import Model
from unrolled.nn.event_reader import EventReader
from unrolled.nn.heads import ClassOutput, NumberOutput, QuantilesOutput, TokenOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.item_vectors import ItemVectors
from unrolled.nn.pooling import POOLINGS
from unrolled.ragged import Ragged
from unrolled.state import map_state, state_tensors

F, S, V, AHEAD, ITEMS, D = 3, 2, 5, 3, 7, 4
Layers = Callable[[int], Any]  # from the features of a step to a sequence layer


def inputs(*static: str) -> InputLayer:
    """A vector, an embedded index and a one-hot index for each step; a vector and a category for each sequence."""
    specs = {"x": Spec("vector", F), "word": Spec("index", V, 2), "kind.of.it": Spec("index", 3)}
    more = {"s": Spec("vector", S, per_step=False), "site": Spec("index", 3, per_step=False)}
    return InputLayer(specs | {name: more[name] for name in static})


def forecast(layers: Layers) -> Any:
    inner = InputLayer({"x": Spec("vector", F)})
    output = QuantilesOutput((0.1, 0.5, 0.9), 2)
    return DirectForecast(inner, layers(inner.size), output, horizon=2, ahead_size=AHEAD, num_rivals=2)


def next_item(layers: Layers, rich: bool) -> Any:
    vectors = ItemVectors(ITEMS, D, {"s": Spec("vector", S, per_step=False)} if rich else None)
    if rich:
        vectors.describe({"s": noise(ITEMS, S, dtype=torch.float32)}, torch.arange(ITEMS))
    columns = InputLayer({"x": Spec("vector", F)}) if rich else None
    reader = EventReader(vectors, columns, ("after", "most") if rich else ())
    return NextItem(reader, layers(reader.size))


def around(kind: Any, layers: Layers, inner: InputLayer, joined: bool, *more: Any) -> Any:
    return kind(inner, layers(inner.size + (inner.static_size if joined else 0)), *more)


ARRANGEMENTS: dict[str, Callable[[Layers], Any]] = {
    "next step": lambda layers: around(NextStep, layers, inputs(), False, TokenOutput(V)),
    "many to many": lambda layers: around(ManyToMany, layers, inputs("s", "site"), True, ClassOutput(V)),
    "one to many": lambda layers: around(OneToMany, layers, inputs("site", "s"), False, TokenOutput(V)),
    "direct forecast": forecast,
    "next item": lambda layers: next_item(layers, rich=False),
    "next item, recalled and described": lambda layers: next_item(layers, rich=True),
    "many to one, without statics": lambda layers: around(ManyToOne, layers, inputs(), False, NumberOutput(2)),
} | {
    f"many to one, {pooling}": lambda layers, pooling=pooling: around(
        ManyToOne, layers, inputs("s"), False, ClassOutput(V), pooling
    )
    for pooling in POOLINGS
}


def a_network(arrangement: str, layers: Layers, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return shake(ARRANGEMENTS[arrangement](layers).float(), seed).eval()


def a_batch(network: Any, lengths: Sequence[int], seed: int = 0) -> Batch:
    """Random inputs that a network reads."""
    rows, steps = len(lengths), sum(lengths)
    generator = torch.Generator().manual_seed(seed)

    def index(size: int, count: int) -> Tensor:
        return torch.randint(size, (count,), generator=generator)

    if isinstance(network, NextItem):
        names = network.inputs.names
        known = {name: index(ITEMS + 2, steps) for name in names if name != "x"}
        known |= {"x": noise(steps, F, seed=seed, dtype=torch.float32)} if "x" in names else {}
        return Batch({name: Ragged(values, lengths) for name, values in known.items()})
    every = {
        "x": noise(steps, F, seed=seed, dtype=torch.float32),
        "word": index(V, steps),
        "kind.of.it": index(3, steps),
    }
    more = {"s": noise(rows, S, seed=seed + 1, dtype=torch.float32), "site": index(3, rows)}
    read = {name: Ragged(every[name], lengths) for name in network.inputs.names}
    if isinstance(network, DirectForecast):
        read["ahead"] = Ragged(noise(steps, 2, AHEAD, seed=seed + 2, dtype=torch.float32), lengths)
    return Batch(read, {name: more[name] for name in network.inputs.static_names})


def truth(network: Any, batch: Batch) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What torch answers to each row, (T, width) or (1, width), and the final state's fields, (B, ...)."""
    with torch.no_grad():
        raw, state = network(batch)
        if isinstance(network, ManyToOne):  # only stepping says what it remembers
            rows = []
            for row, length in enumerate(batch.lengths.tolist()):
                one, after = batch.select([row]), network.initial_state(1)
                for t in range(length):
                    _, after = network.step(one.slice_time(t, t + 1), after)
                rows.append(after)
            state = map_state(lambda *parts: torch.cat(parts), *rows)
            answers = [row[None] for row in raw]
        else:
            values = (
                network.vectors.score(raw.values, 0, network.vectors.size)
                if isinstance(network, NextItem)
                else raw.values
            )
            answers = list(raw.with_values(values))
    return [answer.numpy() for answer in answers], [field.numpy() for field in state_tensors(state)]


class Onnx:
    """A file that onnxruntime runs, with the face of `unrolled.export.runner.Model`."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.shapes = {given.name: given.shape for given in self.session.get_inputs()}
        self.fields = [name for name in self.shapes if name.startswith("state.")]

    def run(
        self, read: dict[str, np.ndarray], state: dict[str, np.ndarray] | None = None, lengths: Any = None
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        start = {name: np.zeros((0, *self.shapes[name][1:]), np.float32) for name in self.fields}
        given = read | (start if state is None else state)
        given["lengths"] = np.asarray([] if lengths is None else lengths, dtype=np.int64)
        names = [found.name for found in self.session.get_outputs()]
        found = dict(zip(names, self.session.run(names, given), strict=True))
        return found["answer"], {name: found[NEXT + name] for name in self.fields}


def exports_of(network: Any, folder: Path) -> dict[str, Any]:
    """A network in both forms."""
    return {
        "onnx": Onnx(export_onnx(network, folder / "net.onnx")),
        "numpy": Model(export_numpy(network, folder / "net", {})),
    }


def padded(batch: Batch) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Inputs (B, T, ...), NaN or a legal index after a row's end, and what stands for whole sequences."""
    steps = {}
    for name, value in batch.inputs.items():
        assert isinstance(value, Ragged)
        steps[name] = value.padded(np.nan if value.values.is_floating_point() else 1).numpy()
    return steps, {name: value.numpy() for name, value in batch.statics.items()}


def played(
    model: Any, batch: Batch, cuts: Sequence[int], lengths: bool = True
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A batch through an exported model in pieces, the state handed on: what `truth` answers."""
    steps, statics = padded(batch)
    ends = batch.lengths.numpy()
    longest = int(ends.max(initial=0))
    answers: list[list[np.ndarray]] = [[] for _ in ends]
    state, last = None, None
    for start, stop in pairwise([0, *cuts, longest]):
        here = (ends - start).clip(0, stop - start)
        part = {name: values[:, start:stop] for name, values in steps.items()}
        answer, state = model.run(part | statics, state, here if lengths else None)
        if answer.ndim == 2:
            last = answer if last is None else np.where(here[:, None] > 0, answer, last)
            continue
        for row, length in enumerate(here):
            answers[row].append(answer[row, :length])
    assert state is not None
    said = [row[None] for row in last] if last is not None else [np.concatenate(row) for row in answers]
    return said, [state[name] for name in model.fields]


def assert_same(
    got: tuple[list[np.ndarray], list[np.ndarray]], want: tuple[list[np.ndarray], list[np.ndarray]]
) -> None:
    for mine, theirs in zip((*got[0], *got[1]), (*want[0], *want[1]), strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-5)
