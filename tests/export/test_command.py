"""`unrolled export`: a saved model becomes a file or a folder, and a mistake is one line."""

import json
from pathlib import Path

import pytest

from exported import Onnx
from unrolled.cli.main import make_app
from unrolled.errors import OptionError, UnsupportedError
from unrolled.export.runner import Model
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.language.language_model import LanguageModel


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = LanguageModel(hidden_size=8, dropout=0.0).fit("abcabc " * 60, epochs=2)
    return model.save(tmp_path_factory.mktemp("saved") / "model")


def test_a_saved_model_becomes_a_file_or_a_folder(saved, tmp_path, capsys):
    call("export", saved, "--out", tmp_path / "model.onnx")
    call("export", saved, "--out", tmp_path / "small", "--format", "numpy")
    shown = capsys.readouterr().out.splitlines()
    assert shown == [f"written: {tmp_path / 'model.onnx'}", f"written: {tmp_path / 'small'}"]
    said = Onnx(tmp_path / "model.onnx").session.get_modelmeta().custom_metadata_map
    small = Model(tmp_path / "small")
    assert json.loads(said["labels"]) == small.record["labels"] == ["\ufffd", " ", "a", "b", "c", ""]
    assert json.loads(said["first"]) == small.record["first"] == {"text": 5}


def test_a_mistake_is_refused_before_anything_is_written(saved, tmp_path):
    with pytest.raises(OptionError, match="format: expected a known name, received nunpy; did you mean 'numpy'"):
        call("export", saved, "--out", tmp_path / "net", "--format", "nunpy")
    reader = Classifier(hidden_size=4).fit(["anna", "bob"] * 8, [0, 1] * 8, epochs=1)
    with pytest.raises(UnsupportedError, match="cannot be stepped; train with bidirectional=False"):
        call("export", reader.save(tmp_path / "reader"), "--out", tmp_path / "net")
    assert [path.name for path in tmp_path.iterdir()] == ["reader"]
