"""The address of a bucket is refused by everything but readers of data, and never becomes a folder named `s3:`."""

import ast
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import unrolled as ur
from unrolled.cli.main import make_app
from unrolled.cli.predict import WRITERS
from unrolled.errors import InputError
from unrolled.export.onnx_model import export_onnx
from unrolled.places import local_path
from unrolled.plots.training import draw_history
from unrolled.report.page import write_page, write_pictures
from unrolled.streaming.sessions import Sessions
from unrolled.training.checkpoints import checkpoint_files, write_checkpoint
from unrolled.training.options import TrainingOptions

REMOTE = ("s3://bucket/model", "gs://b/m.csv", "https://host/data.parquet", "file:///m", "hf://datasets/x", "memory::m")
TEXTS = [{"text": "ab" * (2 + row % 4), "y": str(row % 2)} for row in range(20)]


@pytest.fixture(scope="module")
def model():
    return ur.LanguageModel(hidden_size=4, dropout=0.0).fit("abcabc" * 40, epochs=1, device="cpu")


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory) -> Path:
    return model.save(tmp_path_factory.mktemp("models") / "letters")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """Nothing may appear in it."""
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", [*REMOTE, Path("s3://bucket/model")], ids=str)
def test_an_address_is_no_path(place):
    with pytest.raises(InputError, match=r"a path of this machine, received '(s3|gs|https|file|hf|memory):"):
        local_path(place)


@pytest.mark.parametrize("place", ["model", "./s3:/model", "/a/b:c/d", "C:/models", "c:\\models", "a:b", "", "-"])
def test_a_path_is_one(place):
    assert local_path(place) == Path(place)


FUNCTIONS: dict[str, Callable[[Any, str], Any]] = {
    "save": lambda model, place: model.save(place),
    "load": lambda model, place: ur.load(place),
    "load of a task": lambda model, place: ur.LanguageModel.load(place),
    "export onnx": lambda model, place: model.export(place),
    "export numpy": lambda model, place: model.export(place, format="numpy"),
    "export_onnx": lambda model, place: export_onnx(model.network_, place),
    "fit with a checkpoint": lambda model, place: ur.Classifier("text").fit(TEXTS, checkpoint=place),
    "fit with tensorboard": lambda model, place: ur.Classifier("text").fit(TEXTS, tensorboard=place),
    "options": lambda model, place: TrainingOptions(checkpoint=place),
    "write_checkpoint": lambda model, place: write_checkpoint(place, 1, {}, {}),
    "checkpoint_files": lambda model, place: checkpoint_files(place),
    "a picture": lambda model, place: draw_history(model.history_, path=f"{place}.svg"),
    "write_page": lambda model, place: write_page(place, "title", "lead", []),
    "write_pictures": lambda model, place: write_pictures(place, []),
    "as_source": lambda model, place: ur.as_source(place),
    "a store": lambda model, place: Sessions(model.stream(), f"sqlite:///{place}"),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_refuses_it(name, model):
    with pytest.raises(InputError, match=re.escape("a path of this machine, received 's3://bucket/model")):
        FUNCTIONS[name](model, "s3://bucket/model")


COMMANDS = {
    "fit, out": "fit language DATA --out s3://b/m",
    "fit, checkpoint": "fit language DATA --out new --checkpoint s3://b/m",
    "fit, tensorboard": "fit language DATA --out new --tensorboard s3://b/m",
    "fit, config": "fit language DATA --out new --config s3://b/m",
    "evaluate, model": "evaluate s3://b/m DATA",
    "predict, model": "predict s3://b/m DATA",
    **{f"predict, out {suffix}": f"predict MODEL DATA --out s3://b/m{suffix}" for suffix in WRITERS},
    "predict, picture": "predict MODEL DATA --picture s3://b/m.svg",
    "check, model": "check s3://b/m DATA",
    "generate, model": "generate s3://b/m",
    "generate, out": "generate MODEL --out s3://b/m.svg",
    "stream, model": "stream s3://b/m --key k",
    "stream, data": "stream MODEL s3://b/m --key k",
    "stream, store": "stream MODEL DATA --key k --store sqlite:///s3://b/m",
    "info, model": "info s3://b/m",
    "inspect, out": "inspect MODEL DATA --out s3://b/m",
    "inspect, pictures": "inspect MODEL DATA --pictures s3://b/m",
    "inspect, json": "inspect MODEL DATA --json s3://b/m",
    "export, out": "export MODEL --out s3://b/m",
    "export, numpy": "export MODEL --out s3://b/m --format numpy",
    "lecture, out": "lecture --out s3://b/m",
    "serve, model": "serve s3://b/m --port 0",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_refuses_it(name, folder):
    data = folder.parent / "data.txt"
    data.write_text("abcabc" * 40, encoding="utf-8")
    words = [{"MODEL": str(folder), "DATA": str(data)}.get(word, word) for word in COMMANDS[name].split()]
    with pytest.raises(InputError, match=r"a path of this machine, received 's3://b/m"):
        make_app(words)(words, standalone_mode=False)


READING = (
    "fit language s3://b/m.txt --out new",
    "evaluate MODEL s3://b/m.txt",
    "predict MODEL s3://b/m.txt",
    "check MODEL s3://b/m.txt",
)


@pytest.mark.parametrize("command", READING)
def test_data_at_an_address_is_read_where_its_library_is_there(command, folder):
    words = [str(folder) if word == "MODEL" else word for word in command.split()]
    with pytest.raises(InputError, match=r"s3://b/m.txt', which needs s3fs; pip install s3fs"):
        make_app(words)(words, standalone_mode=False)


@pytest.mark.parametrize("reader", [ur.read, ur.read_csv, ur.read_text, ur.scan_parquet], ids=lambda one: one.__name__)
@pytest.mark.parametrize("place", ["s3://bucket/m.parquet", Path("s3://bucket/m.parquet")], ids=repr)
def test_a_reader_names_the_library_that_an_address_needs(reader, place):
    with pytest.raises(InputError, match=re.escape("'s3://bucket/m.parquet', which needs s3fs")):
        reader(place)


# places that no user names, or that pass through `local_path` elsewhere
OTHERWISE = {
    "places.py",
    "cli/secrets.py",
    "data/opened.py",
    "data/source.py",  # readers give it the place that `from_anywhere` has opened
    "export/runner.py",
    "tasks/shared/laws_check.py",
}


def test_no_other_file_makes_a_path_of_what_a_user_gave():
    """A new reader or writer asks `local_path`, or is named above with a reason."""
    root = Path(ur.__file__).parent
    found = set()
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Path" and node.args:
                (made, *_) = node.args
                if isinstance(made, ast.Name | ast.Attribute) and ast.unparse(made) in (
                    "path",
                    "folder",
                    "out",
                    "place",
                ):
                    found.add(file.relative_to(root).as_posix())
    assert found == OTHERWISE
