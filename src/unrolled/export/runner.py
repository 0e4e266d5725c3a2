#!/usr/bin/env python3
"""A trained sequence model that needs only NumPy, this file, model.json and weights-*.npz.

    python run.py                                     describe the model, and run a small demonstration
    python run.py write "Once upon" --length 200      continue a text with a language model
    python run.py answer < events.jsonl               print one answer per record, as JSON

In a program, one event at a time, with a state that the caller keeps:

    from run import Model
    model = Model("folder")
    state = model.initial_state()
    if model.first:
        answer, state = model.step(model.first, state)
    for record in records:
        answer, state = model.step(model.encode(record, one_step=True), state)
        print(model.describe(answer))

Inputs are arrays by name, one row per sequence: indices (B,) or vectors (B, F) for `step`, (B, T) or (B, T, F) for
`run`. A state is a dictionary of arrays, such as "state.0.hidden" (B, H); no call changes its argument.
"""

import argparse
import hashlib
import io
import json
import math
import re
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

FORMAT, VERSION = "unrolled numpy model", 1
Arrays = dict[str, np.ndarray]


class ModelError(ValueError):
    """A damaged model, or wrong inputs."""


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Compute 1 / (1 + exp(-x)) without overflow."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def layer_norm(x: np.ndarray, gain: np.ndarray, bias: np.ndarray, epsilon: float) -> np.ndarray:
    """Normalise the last axis to mean 0 and variance 1, then scale and shift it."""
    apart = x - x.mean(-1, keepdims=True)
    return apart / np.sqrt((apart * apart).mean(-1, keepdims=True) + np.float32(epsilon)) * gain + bias


OF_NUMPY = "negative abs exp sqrt tanh add subtract multiply divide maximum minimum matmul"
OPERATIONS: dict[str, Any] = {name: getattr(np, name) for name in OF_NUMPY.split()} | {
    "relu": lambda x: np.maximum(x, 0),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "log_sigmoid": lambda x: np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x))),
    "split": lambda x, *sizes: np.split(x, np.cumsum(sizes[:-1]).astype(int), -1),
    "sigmoid": sigmoid,
    "layer_norm": layer_norm,
}


def softmax(x: np.ndarray) -> np.ndarray:
    """Compute probabilities over the last axis."""
    shares = np.exp(x - x.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    """Compute x times the probability of a standard normal number below x."""
    return 0.5 * x * (1 + np.array(list(map(math.erf, (x * 2**-0.5).flat)), np.float32).reshape(x.shape))


class Model:
    """A model read from a folder and tested; ModelError if it is damaged. Its `mark` changes with any weight."""

    def __init__(self, folder: str | Path = ".") -> None:
        text, before, problem = b"", None, None
        while text != before:  # repeat if another process replaced the model meanwhile
            before = text
            try:
                text = (Path(folder) / "model.json").read_bytes()
                self._open(Path(folder), text)
                return
            except Exception as fault:
                problem = fault
        reason = problem if isinstance(problem, ModelError) else getattr(problem, "strerror", None) or "damaged"
        raise ModelError(f"{folder}: no whole model ({reason}); export it again") from problem

    def _open(self, folder: Path, text: bytes) -> None:
        self.record, self.arrays, self.mark = read_model(folder, text)
        self.codecs: dict[str, Any] = self.record["readers"]
        self.place, self.fields = self.record["place"], self.record["state"]
        self.columns, self.statics = self.record["columns"], self.record["statics"]
        for layer in (layers := list(self.record["layers"])):  # it grows by the layers of branches
            layer["lines"] = [(OPERATIONS[name], *line) for name, *line in layer.get("operations", [])]
            layers += [one for part in layer.get("parts", []) for one in part]
        self.step(self.zeros, self.initial_state(1, self.zeros))

    def initial_state(self, batch: int = 1, inputs: Any = None) -> Arrays:
        """Return the initial state of B rows; where sequences start from a vector, it must be among the inputs."""
        starts = {name: self.arrays[f"start.{name}"] for name in self.fields}
        if self.place != "start":
            return {name: np.repeat(start, batch, 0) for name, start in starts.items()}
        flat = np.tanh(self._linear("first", self._read(self.statics, inputs or {})))
        parts = np.split(flat, np.cumsum([start.size for start in starts.values()])[:-1], 1)
        return {name: part.reshape(-1, *starts[name].shape[1:]) for name, part in zip(starts, parts, strict=True)}

    def step(self, inputs: Any, state: Arrays) -> tuple[np.ndarray, Arrays]:
        """Run one step from inputs (B,) or (B, F) by name; return raw answers (B, width) and the next state."""
        statics = [self._read(self.statics, inputs)] if self.place in ("step", "answer") else []
        features, after = self._read(self.columns, inputs), dict(state)
        shapes = {name: (len(features), *self.arrays[f"start.{name}"].shape[1:]) for name in self.fields}
        if {name: np.shape(state[name]) for name in self.fields if name in state} != shapes:
            raise ModelError(f"state: expected {shapes}; start from initial_state({len(features)})")
        hidden = np.concatenate([features, *statics], 1) if self.place == "step" else features
        hidden = self._through(self.record["layers"], hidden, after)
        hidden = np.concatenate([hidden, *statics], 1) if self.place == "answer" else hidden
        return self._answer(inputs, features, hidden), after

    def run(self, inputs: Any, state: Arrays | None = None, lengths: Any = None) -> tuple[np.ndarray, Arrays]:
        """Run many steps; return answers (B, T, width), or (B, width) for one per sequence, and the final state.

        Inputs are (B, T) or (B, T, F) by name, per-sequence ones (B,) or (B, F); `lengths` (B,) are the lengths of rows
        that are padded with any legal values.
        """
        arrays, whole = {n: np.asarray(v) for n, v in inputs.items()}, {column["name"] for column in self.statics}
        batch, steps = arrays[self.columns[0]["name"]].shape[:2]
        ends = np.full(batch, steps) if lengths is None else np.asarray(lengths)
        state = self.initial_state(batch, arrays) if state is None else state
        answers = np.zeros((batch, steps, self.record["width"]), np.float32)
        if self.record["pooling"]:  # the answer to a sequence without steps comes from zeros
            statics = [self._read(self.statics, arrays)] if self.statics else []
            nothing = np.zeros((batch, len(self.arrays["head.weight"]) - sum(s.shape[1] for s in statics)), np.float32)
            answers = self._answer(arrays, nothing, np.concatenate([nothing, *statics], 1))
        for t in range(steps):
            now = {name: values if name in whole else values[:, t] for name, values in arrays.items()}
            answer, after = self.step(now, state)
            alive = t < ends
            state = {n: np.where(alive.reshape(-1, *[1] * (v.ndim - 1)), v, state[n]) for n, v in after.items()}
            answers[alive if self.record["pooling"] else (alive, t)] = answer[alive]
        return answers, state

    def describe(self, answer: np.ndarray) -> np.ndarray:
        """Decode raw numbers: probabilities, quantiles, numbers in the data's unit; a mixture's stay unchanged."""
        kind, levels = self.record["output"]["output"], self.record["output"].get("quantiles", ())
        if levels:
            return np.sort(answer.reshape(*answer.shape[:-1], -1, len(levels)), -1)
        if kind in ("multilabel", "binary_vector"):
            return sigmoid(answer)
        if kind in ("class", "token", "item"):
            return softmax(answer)
        centre, spread = np.array(self.record["unit"], np.float32)
        return answer * spread + centre

    def _linear(self, name: str, values: np.ndarray) -> np.ndarray:
        product = values @ self.arrays[f"{name}.weight"]
        return product + self.arrays[f"{name}.bias"] if f"{name}.bias" in self.arrays else product

    def _read(self, columns: Any, inputs: Any) -> np.ndarray:
        """Concatenate inputs to features, (B, F)."""
        parts = []
        for column in columns:
            name, size, vector = column["name"], column["size"], column["kind"] == "vector"
            if name not in inputs:
                raise ModelError(f"inputs: expected one named {name!r}, received {sorted(inputs)}")
            values = np.asarray(inputs[name])
            if values.ndim != 1 + vector or (vector and values.shape[1] != size):
                shape = f"(B, {size})" if vector else "(B,)"
                raise ModelError(f"input {name!r}: expected shape {shape}, received {values.shape}")
            if vector:
                parts.append(values.astype(np.float32))
            elif values.dtype.kind not in "iu" or ((values < 0) | (values >= size)).any():
                raise ModelError(f"input {name!r}: expected integers from 0 to {size - 1}, received {values}")
            elif column["table"]:
                parts.append(self.arrays[column["table"]][values] * np.float32(column["scale"]))
            else:
                parts.append((values[:, None] == np.arange(size)) * np.float32(size**0.5))
        return np.concatenate(parts, 1)

    def _through(self, layers: Any, hidden: np.ndarray, state: Arrays) -> np.ndarray:
        for layer in layers:
            if layer["kind"] == "branches":
                hidden = np.concatenate([self._through(part, hidden, state) for part in layer["parts"]], 1)
            else:
                hidden = (self._recur if layer["kind"] == "recurrent" else self._convolve)(layer, hidden, state)
        return hidden

    def _recur(self, layer: Any, inputs: np.ndarray, state: Arrays) -> np.ndarray:
        """Run one step of a layer or a pooling: its operations in order; its part of the state is replaced."""
        values = {"x": inputs} | {name: self.arrays[place] for name, place in layer["constants"].items()}
        if layer["norm"]:
            values["x"] = layer_norm(inputs, *self.arrays[layer["norm"]], epsilon=layer["epsilon"])
        values |= {name: state[place] for name, place in layer["fields"].items()}
        for function, results, arguments, settings in layer["lines"]:
            found = function(*(values[part] if isinstance(part, str) else part for part in arguments), *settings)
            values.update(zip(results, found if len(results) > 1 else [found], strict=True))
        state |= {place: values[layer["after"][name]] for name, place in layer["fields"].items()}
        outputs = values[layer["output"]]
        return outputs + inputs if layer["residual"] else outputs

    def _convolve(self, layer: Any, inputs: np.ndarray, state: Arrays) -> np.ndarray:
        (place,) = layer["fields"].values()
        window = np.concatenate([state[place], inputs[:, None]], 1)  # (B, M + 1, F)
        taps = window[:, :: layer["dilation"]].reshape(len(inputs), -1)  # the oldest first
        state[place] = window[:, 1:]
        drive = np.maximum(self._linear(layer["taps"], taps), 0)
        outputs = layer_norm(drive, *self.arrays[layer["norm"]], epsilon=layer["epsilon"])
        return outputs + inputs if layer["residual"] else outputs

    def _answer(self, inputs: Any, features: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        if self.record["head"] == "linear":
            return self._linear("head", hidden)
        if self.record["head"] == "items":
            asked = self._linear("head.query", hidden)  # (B, D)
            if "head.trust.weight" in self.arrays:
                trust = self._linear("head.trust", hidden)  # (B, R)
                recalled = self.columns[1 : 1 + trust.shape[1]]
                known = [self.arrays[column["table"]][np.asarray(inputs[column["name"]])] for column in recalled]
                asked = asked + np.einsum("br,rbd->bd", trust, np.stack(known))
            return asked @ self.arrays["head.vectors"] + self.arrays["head.bias"]
        ahead = np.asarray(inputs["ahead"], np.float32)  # (B, horizon, A)
        rivals = self.arrays["head.rivals"]  # (horizon, R, values)
        joined = self._linear("head.from_state", hidden)[:, None] + self._linear("head.from_ahead", ahead)
        deep = self._linear("head.answer", gelu(joined + self.arrays["head.position"]))  # (B, horizon, values)
        both = deep + np.einsum("bha,hav->bhv", ahead[..., : rivals.shape[1]], rivals) + self.arrays["head.bias"]
        return both.reshape(len(hidden), -1) + self._linear("head.short_cut", features)

    @property
    def zeros(self) -> dict[str, np.ndarray]:
        """Valid inputs of one row and step, all 0."""
        columns, most = (*self.columns, *self.statics), sum(array.size for array in self.arrays.values())
        if not all(0 < column["size"] <= most for column in columns):
            raise ModelError("the inputs are larger than the weights")
        shapes: Any = {c["name"]: (1, c["size"]) if c["kind"] == "vector" else (1,) for c in columns}
        if self.record["head"] == "forecast":
            shapes["ahead"] = (1, len(self.arrays["head.position"]), len(self.arrays["head.from_ahead.weight"]))
        return {name: np.zeros(shape, np.float32 if len(shape) > 1 else np.int64) for name, shape in shapes.items()}

    @property
    def first(self) -> dict[str, np.ndarray]:
        """Inputs before the first event, by name, one row; empty for most models."""
        return {name: np.array([value]) for name, value in self.record["first"].items()}

    def encode(self, record: Any, one_step: bool = False) -> dict[str, np.ndarray]:
        """Encode a record as inputs of one row: for `run`, with `first` in front, or for one step."""
        found = {}
        for column in (*self.columns, *self.statics):
            name, per_step = column["name"], column in self.columns
            if name not in self.codecs:
                raise ModelError(f"input {name!r}: its raw values are not read here; pass it encoded")
            rows = encode(self.codecs[name], record, one_step and per_step)  # (T,) or (T, F)
            if rows.ndim > 1 and rows.shape[1] < column["size"]:  # an extra column that marks the first row only
                rows = np.pad(rows, ((0, 0), (0, 1)))
            if per_step and not one_step:
                rows = np.concatenate([self.first.get(name, rows[:0]).astype(rows.dtype), rows])[None]
            elif len(rows) != 1:
                raise ModelError(f"input {name!r}: expected one value, received {len(rows)}")
            found[name] = rows
        return found

    def answer(self, record: Any) -> Any:
        """Return the answer to one record in plain values: labels with probabilities, or numbers."""
        said, labels = self.describe(self.run(self.encode(record))[0])[0], self.record["labels"]
        if labels and self.record["output"]["output"] in ("class", "token", "item"):
            rows = [[labels[row.argmax()], float(row.max())] for row in np.atleast_2d(said)]
            return rows[0] if self.record["pooling"] else rows
        return dict(zip(labels, said.tolist(), strict=True)) if labels else said.tolist()

    def write(self, prompt: str = "", length: int = 200, temperature: float = 0.8, seed: Any = None, **row: Any) -> str:
        """Generate text with a language model after a prompt and values of the columns that condition it."""
        name, labels = self.columns[0]["name"], self.record["labels"]
        codec = self.codecs.get(name, {"codec": ""})
        if self.record["output"]["output"] != "token" or codec["codec"] not in ("characters", "words"):
            raise ModelError("write: expected a language model of characters or words")
        if not 0 <= temperature < np.inf:
            raise ModelError("temperature: expected a finite number >= 0")
        statics = {c["name"]: encode(self.codecs[c["name"]], row) for c in self.statics}
        raw, state, written, random = np.empty(0), self.initial_state(1, statics), [], np.random.default_rng(seed)
        waiting = [*self.first[name], *encode(codec, {codec["arguments"]["column"]: prompt})]
        while len(written) < length:
            for token in waiting:
                raw, state = self.step({name: np.array([token])}, state)
            logits = raw[0].astype(np.float64)
            if not self.record["ends"]:
                logits[-1] = -np.inf  # a model of a single text has not learnt its end
            shares = softmax((logits - logits.max()) / max(temperature, 1e-30))
            token = random.choice(len(logits), p=shares) if temperature else logits.argmax()
            if token == len(labels) - 1:
                break
            written, waiting = [*written, labels[token]], [token]
        return ("" if codec["codec"] == "characters" else " ").join(written)


def encode(codec: Any, record: Any, alone: bool = False) -> np.ndarray:
    """Encode a column's raw values as indices (T,) or vectors (T, F); `alone`: the record has a single step."""
    kind, arguments, learnt = codec["codec"], codec["arguments"], codec["learnt"]
    names = arguments["columns"] if kind == "numbers" else arguments["column"]
    names = [names] if isinstance(names, str) else names
    if set(names) - set(record):
        raise ModelError(f"record: expected {' and '.join(names)}, received {sorted(record)}")
    values = [record[name] for name in names]
    if kind != "characters" and (alone or not learnt.get("per_step_", True)):
        values = [[value] for value in values]
    if kind in ("numbers", "frames"):
        numbers = np.array(values[0] if kind == "frames" else [list(v) for v in values], np.float64)  # None is NaN
        numbers = numbers.reshape(-1, len(learnt["scaling_"][0])) if kind == "frames" else numbers.T
        centre, spread = learnt.get("groups_", {}).get(str(record.get(arguments.get("group"))), learnt["scaling_"])
        if np.isinf(numbers).any():
            raise ModelError(f"record: expected finite numbers in {names}; write missing values as null")
        absent = np.isnan(numbers[:, learnt.get("indicated_", [])])
        return np.concatenate([np.nan_to_num((numbers - centre) / np.array(spread)), absent], 1).astype(np.float32)
    pieces = values[0]
    if kind == "words" and isinstance(pieces, str):
        if not pieces.isascii():
            raise ModelError("words: expected a list of words, or text in ASCII, which is split here")
        pieces = re.findall(r"\d+(?:[.,]\d+)+|\w+(?:'\w+)*|[^\w\s]", pieces, re.ASCII)
    if arguments.get("lowercase"):
        pieces = [piece.lower() for piece in pieces]
    entries = learnt[{"characters": "characters_", "words": "words_"}.get(kind, "categories_")]
    index = {entry: place for place, entry in enumerate(entries, 1)}
    return np.array([index.get(piece, 0) for piece in pieces], np.int64)


def fingerprint(record: Any, arrays: Any) -> str:
    """Return 16 hexadecimal digits that change with any weight or setting of a model."""
    digest = hashlib.sha256(json.dumps(record, sort_keys=True, ensure_ascii=False).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def read_model(folder: Path, text: bytes) -> tuple[dict[str, Any], Arrays, str]:
    """Read model.json and its arrays after checking their digest; return both and their fingerprint."""
    record = json.loads(text)
    form, mark = (record["format"], record["version"]), record.pop("fingerprint")
    ((name, said),) = record.pop("files", {"weights.npz": {}}).items()  # older exports have no digest
    data = (folder / Path(name).name).read_bytes()
    if said and (len(data), hashlib.sha256(data).hexdigest()) != (said["bytes"], said["sha256"]):
        raise ModelError(f"{name} is not what its digest says")
    arrays = read_arrays(data)
    if form != (FORMAT, VERSION) or mark != fingerprint(record, arrays):
        raise ModelError(f"damaged, or not {FORMAT} {VERSION} but {form}")
    return record, arrays, mark


def read_arrays(data: bytes) -> Arrays:
    """Read the arrays of an .npz; they cannot take more memory than the file, whatever sizes it claims."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if any(e.compress_type for e in archive.filelist) or sum(e.file_size for e in archive.filelist) > len(data):
            raise ModelError("the weights are compressed")
        arrays = {}
        for entry in archive.filelist:
            content = archive.read(entry)
            np.lib.format.read_magic(file := io.BytesIO(content))
            shape, turned, kind = np.lib.format.read_array_header_1_0(file)
            values = np.frombuffer(content, kind, offset=file.tell())
            arrays[entry.filename.removesuffix(".npy")] = values.reshape(shape, order="F" if turned else "C")
    return arrays


def demonstrate(model: Model) -> None:
    """Print a description of the model, and run some steps."""
    print(f"{model.record['task']} {model.mark}: {', '.join(model.zeros)} to {model.record['width']} numbers per row")
    state, start = model.initial_state(1, model.zeros), time.perf_counter()
    for _ in range(100):
        _, state = model.step(model.zeros, state)
    print(f"a step takes {(time.perf_counter() - start) * 1e4:.0f} microseconds here")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=("show", "write", "answer"), default="show")
    parser.add_argument("prompt", nargs="?", default="", help="of write: the text so far")
    parser.add_argument("--length", type=int, default=200, help="of write: tokens at most, 200 when not given")
    parser.add_argument("--temperature", type=float, default=0.8, help="of write: 0.8 when not given")
    parser.add_argument("--seed", type=int, help="of write: for repeatable draws")
    given = parser.parse_args()
    try:
        model = Model(Path(__file__).parent)
        if given.task == "write":
            print(given.prompt + model.write(given.prompt, given.length, given.temperature, given.seed))
        elif given.task == "answer":
            for line in sys.stdin:
                print(json.dumps(model.answer(json.loads(line)), ensure_ascii=False), flush=True)
        else:
            parser.print_help()
            demonstrate(model)
    except (ValueError, TypeError) as fault:
        sys.exit(f"error: {fault if isinstance(fault, ModelError) else 'expected JSON with values as in training'}")


if __name__ == "__main__":
    main()
