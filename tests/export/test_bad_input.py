"""What exports refuse, in one sentence each; and what was there before stays unharmed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from exported import ARRANGEMENTS, Onnx, a_batch, a_network, assert_same, padded, played, truth
from random_sequences import noise
from unrolled.arrangements.many_to_many import ManyToMany
from unrolled.codecs.base import Spec
from unrolled.errors import ArtifactError, OptionError, UnsupportedError
from unrolled.export import onnx_model, runner
from unrolled.export.numpy_folder import export_numpy
from unrolled.export.onnx_model import export_onnx
from unrolled.export.runner import Model, ModelError
from unrolled.nn.heads import NumberOutput
from unrolled.nn.inputs import InputLayer
from unrolled.nn.stack import Stack
from unrolled.tasks.language.language_model import LanguageModel


def small(seed: int = 0) -> Any:
    return a_network("next step", lambda width: Stack(width, 4), seed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return export_numpy(small(), tmp_path / "net", {})


def leftovers(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


# ---- writing -------------------------------------------------------------------------------------------


def test_an_unknown_format_is_answered_with_the_nearest(tmp_path):
    model = LanguageModel(hidden_size=4).fit("abcd" * 40, epochs=1)
    with pytest.raises(OptionError, match="format: expected a known name, received onix; did you mean 'onnx'"):
        model.export(tmp_path / "net", format="onix")
    assert not leftovers(tmp_path)


def test_a_path_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path):
    (tmp_path / "file").write_text("mine")
    for write in (export_onnx, lambda network, path: export_numpy(network, path, {})):
        with pytest.raises(ArtifactError, match="path: expected a place with room that can be written"):
            write(small(), tmp_path / "file" / "net")
    assert leftovers(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_is_no_place_for_an_onnx_file(tmp_path):
    with pytest.raises(ArtifactError, match="Is a directory"):
        export_onnx(small(), tmp_path)
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("other", ["a file", "a folder", "a model folder"])
def test_what_is_no_older_export_is_not_replaced(other, tmp_path):
    target = tmp_path / "net"
    if other == "a file":
        target.write_text("mine")
    elif other == "a folder":
        (target / "photos").mkdir(parents=True)
    else:
        LanguageModel(hidden_size=4).fit("abcd" * 40, epochs=1).save(target)
    before = leftovers(tmp_path), leftovers(target) if target.is_dir() else target.read_text()
    with pytest.raises(ArtifactError, match="path: expected a new folder, an empty one or an older export"):
        export_numpy(small(), target, {})
    assert before == (leftovers(tmp_path), leftovers(target) if target.is_dir() else target.read_text())


def test_an_older_export_is_replaced_as_a_whole(folder):
    other = small(seed=1)
    (folder.parent / "net.onnx").write_bytes(b"older")
    export_onnx(other, folder.parent / "net.onnx")
    export_numpy(other, folder, {})
    batch = a_batch(other, [3])
    for model in (Model(folder), Onnx(folder.parent / "net.onnx")):
        assert_same(played(model, batch, []), truth(other, batch))
    assert leftovers(folder.parent) == ["net", "net.onnx"]


@pytest.mark.parametrize("failing", ["rename", "write"])
def test_a_disk_that_fills_up_leaves_the_older_export(failing, folder, monkeypatch):
    export_onnx(small(), folder.parent / "net.onnx")
    before = {file: file.read_bytes() for file in folder.parent.rglob("*") if file.is_file()}

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    if failing == "rename":
        monkeypatch.setattr(os, "replace", full)
        monkeypatch.setattr(os, "rename", full)
    else:
        monkeypatch.setattr(os, "fsync", full)
        monkeypatch.setattr(Path, "write_bytes", full)
    for write in (
        lambda: export_onnx(small(1), folder.parent / "net.onnx"),
        lambda: export_numpy(small(1), folder, {}),
    ):
        with pytest.raises(ArtifactError, match=r"No space left on device.*unharmed"):
            write()
    monkeypatch.undo()
    assert {file: file.read_bytes() for file in folder.parent.rglob("*") if file.is_file()} == before


def test_without_onnx_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"pip install 'unrolled\[export\]'"):
        export_onnx(small(), tmp_path / "net.onnx")
    assert Model(export_numpy(small(), tmp_path / "net", {})).fields


def test_more_than_a_file_can_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_model, "LARGEST", 100)
    with pytest.raises(UnsupportedError, match="format='numpy'"):
        export_onnx(small(), tmp_path / "net.onnx")


def test_an_input_named_as_the_lengths_are_is_refused(tmp_path):
    network = ManyToMany(InputLayer({"lengths": Spec("vector", 3)}), Stack(3, 4), NumberOutput())
    with pytest.raises(OptionError, match="inputs: expected other names than those of lengths"):
        export_onnx(network, tmp_path / "net.onnx")


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        (Spec("picture", 64, 8, shape=(1, 8, 8), scaling=((0.0, 1.0),)), "pictures"),
        (Spec("nested", 5, 4), "the characters of words"),
    ],
)
def test_an_input_that_is_read_by_a_net_of_its_own_is_refused_by_name(spec, shown, tmp_path):
    inputs = InputLayer({"what": spec})
    network = ManyToMany(inputs, Stack(inputs.size, 4), NumberOutput())
    with pytest.raises(UnsupportedError, match=f"input 'what': .* received {shown}; fit without that column"):
        export_onnx(network, tmp_path / "net.onnx")


def test_a_spectrum_is_read_as_the_vector_it_is(tmp_path):
    network = ManyToMany(InputLayer({"x": Spec("spectrum", 6, shape=(2, 3))}), Stack(6, 4), NumberOutput())
    model = Onnx(export_onnx(network.eval(), tmp_path / "net.onnx"))
    values = noise(1, 5, 6, dtype=torch.float32)
    with torch.no_grad():
        want = network.head(network.layers.layers[0].cell.step(values[:, 0], network.layers.initial_state(1)[0])[0])
    np.testing.assert_allclose(model.run({"x": values[:, :1].numpy()})[0][0], want.numpy(), rtol=1e-4, atol=1e-5)


# ---- the ONNX file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "lstm_layer_norm"])
@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
def test_the_file_is_what_onnx_says_a_file_is_and_runs_without_a_warning(arrangement, cell, tmp_path, capfd):
    network = a_network(arrangement, lambda width: Stack(width, 4, cell))
    path = export_onnx(network, tmp_path / "net.onnx")
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    shapes = {
        given.name: [axis.dim_param or axis.dim_value for axis in given.type.tensor_type.shape.dim]
        for given in [*model.graph.input, *model.graph.output]
    }
    assert shapes["answer"][1:-1] == ([] if "to one" in arrangement else ["time"])
    assert shapes["state.0.hidden"] == ["rows_of_state", 4]
    assert shapes["next.state.0.hidden"] == ["batch", 4]
    played(Onnx(path), a_batch(network, [3, 2]), [1])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["word", "kind.of.it"])  # embedded, and one-hot
def test_an_index_out_of_range_is_refused_by_the_runtime(name, tmp_path):
    network = small()
    model = Onnx(export_onnx(network, tmp_path / "net.onnx"))
    read = {
        "x": np.zeros((1, 2, 3), np.float32),
        "word": np.zeros((1, 2), np.int64),
        "kind.of.it": np.zeros((1, 2), np.int64),
    }
    with pytest.raises(Exception, match="indices element out of data bounds"):
        model.run(read | {name: np.full((1, 2), 99)})


@pytest.mark.parametrize("cell", ["lstm", "lstm_layer_norm"])
@pytest.mark.parametrize(("rows", "lengths"), [(1, []), (2, []), (6, []), (3, [2]), (3, [1, 2]), (3, [1] * 6)])
def test_a_state_or_lengths_of_other_rows_stop_the_run_by_name(rows, lengths, cell, tmp_path):
    network = a_network("next step", lambda width: Stack(width, 4, cell))
    model = Onnx(export_onnx(network, tmp_path / "net.onnx"))
    read, _ = padded(a_batch(network, [2, 2, 2]))
    state = {name: np.zeros((rows, 4), np.float32) for name in model.fields}
    with pytest.raises(Exception, match=r"(lengths|state.0.\w+) needs no rows or as many as the batch"):
        model.run(read, state, lengths)


# ---- the NumPy folder ------------------------------------------------------------------------------------


def damage(folder: Path, how: str) -> None:
    json_file, weights = folder / "model.json", next(folder.glob("weights-*.npz"))
    record = json.loads(json_file.read_text())
    if how == "no json":
        json_file.unlink()
    elif how == "json cut short":
        json_file.write_text(json_file.read_text()[:-40])
    elif how == "json of another kind":
        json_file.write_text("[1, 2]")
    elif how == "a word changed":
        json_file.write_text(json.dumps(record | {"place": "step"}))
    elif how == "a newer version":
        json_file.write_text(json.dumps(record | {"version": 99}))
    elif how == "no weights":
        weights.unlink()
    elif how == "weights cut short":
        weights.write_bytes(weights.read_bytes()[:-200])
    elif how == "a byte changed":
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(bytes(data))
    elif how == "weights that are text":
        weights.write_text("weights")
    else:
        with np.load(weights) as archive:
            arrays = {name: archive[name] for name in archive.files}
        arrays["head.bias"] = arrays["head.bias"] + 1
        np.savez(weights, allow_pickle=False, **arrays)


@pytest.mark.parametrize(
    "how",
    [
        "no json",
        "json cut short",
        "json of another kind",
        "a word changed",
        "a newer version",
        "no weights",
        "weights cut short",
        "a byte changed",
        "weights that are text",
        "weights of another model",
    ],
)
def test_a_damaged_folder_is_refused_in_one_sentence(how, folder):
    Model(folder)
    damage(folder, how)
    with pytest.raises(ModelError, match="export it again"):
        Model(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": None}, "expected one named 'x'"),
        ({"x": np.zeros((1, 4))}, r"input 'x': expected shape \(B, 3\), received \(1, 4\)"),
        ({"word": np.array([5])}, "input 'word': expected integers from 0 to 4"),
        ({"word": np.array([-1])}, "input 'word': expected integers from 0 to 4"),
        ({"word": np.array([1.0])}, "input 'word': expected integers from 0 to 4"),
        ({"kind.of.it": np.array([[1]])}, r"input 'kind.of.it': expected shape \(B,\), received \(1, 1\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(change, said, folder):
    model = Model(folder)
    read = {"x": np.zeros((1, 3)), "word": np.array([0]), "kind.of.it": np.array([0])}
    model.step(read, model.initial_state())
    read = {name: value for name, value in (read | change).items() if value is not None}
    with pytest.raises(ModelError, match=said):
        model.step(read, model.initial_state())


@pytest.mark.parametrize(
    "state",
    [
        {"state.0.hidden": np.zeros((2, 4))},
        {"state.0.hidden": np.zeros((2, 4)), "state.0.cell": np.zeros((1, 4))},
        {"state.0.hidden": np.zeros((2, 4)), "state.0.cell": np.zeros((2, 5))},
        {},
    ],
)
def test_a_state_of_other_fields_rows_or_widths_is_refused(state, folder):
    model = Model(folder)
    read = {"x": np.zeros((2, 3)), "word": np.array([0, 1]), "kind.of.it": np.array([0, 1])}
    with pytest.raises(ModelError, match=r"state: expected .*'state.0.cell': \(2, 4\).*start from initial_state\(2\)"):
        model.step(read, state)


def test_no_call_changes_the_state_it_is_given(folder):
    model = Model(folder)
    read = {"x": np.ones((1, 3)), "word": np.array([0]), "kind.of.it": np.array([0])}
    state = model.initial_state()
    before = {name: value.copy() for name, value in state.items()}
    answers = [model.step(read, state)[0] for _ in range(2)]
    assert all(np.array_equal(state[name], value) for name, value in before.items())
    assert np.array_equal(*answers)


def test_raw_values_that_nobody_reads_are_refused_by_name(folder):
    with pytest.raises(ModelError, match="input 'x': its raw values are not read here; pass it encoded"):
        Model(folder).encode({"x": 1.0})
    with pytest.raises(ModelError, match="write: expected a language model"):
        Model(folder).write("once")


# ---- the file on its own ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def writer(tmp_path_factory) -> Path:
    model = LanguageModel(hidden_size=8, dropout=0.0).fit("abcabc " * 60, epochs=3)
    return model.export(tmp_path_factory.mktemp("writer") / "net", format="numpy")


def run(folder: Path, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(folder / "run.py"), *words], input=given, capture_output=True, text=True, check=False
    )


def test_the_file_alone_shows_help_and_a_demonstration(writer):
    done = run(writer)
    assert done.returncode == 0, done.stderr
    assert "python run.py write" in done.stdout
    assert "LanguageModel" in done.stdout
    assert "microseconds" in done.stdout


def test_the_file_writes_and_answers(writer):
    done = run(writer, "write", "ab", "--length", "30", "--temperature", "0")
    assert done.stdout == "ab" + Model(writer).write("ab", 30, 0) + "\n"
    done = run(writer, "answer", given='{"text": "abc"}\n{"text": ""}\n')
    assert [len(json.loads(line)) for line in done.stdout.splitlines()] == [4, 1]


@pytest.mark.parametrize("line", ["nonsense", "[1]", "{}", '{"text": 5}', '{"txt": "a"}'])
def test_a_bad_line_is_one_error_and_no_traceback(line, writer):
    done = run(writer, "answer", given=line + "\n")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_the_file_needs_numpy_and_nothing_else(writer):
    code = f"import sys; sys.path.insert(0, {str(writer)!r}); import run; run.Model({str(writer)!r}).write('ab', 3)"
    shown = "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    done = subprocess.run([sys.executable, "-c", f"{code}; {shown}"], capture_output=True, text=True, check=True)
    assert {name for name in done.stdout.split() if not name.startswith("_")} <= {
        "numpy",
        "run",
        "cython_runtime",
        "sitecustomize",
    }
    source = Path(runner.__file__).read_text(encoding="utf-8")
    assert source == (writer / "run.py").read_text(encoding="utf-8")
    assert source.count("\n") <= 400
