"""The command line as a user meets it: real processes, real files, exit codes, one line for each mistake."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from unrolled.cli.arguments import arguments_of, parse
from unrolled.cli.main import make_app
from unrolled.errors import OptionError, UnrolledError, UnsupportedError
from unrolled.tasks.classification.classifier import Classifier
from unrolled.training.options import TrainingOptions

QUICK = ["--epochs", "1", "--hidden-size", "4", "--validation", "0.3"]


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process."""
    return subprocess.run(
        [sys.executable, "-m", "unrolled.cli.main", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120", **environment},
        check=False,
    )


def call(*words: object) -> None:
    """The same command inside this process: quick, and errors arrive as exceptions."""
    app = make_app([str(word) for word in words])
    app([str(word) for word in words], standalone_mode=False)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    path = tmp_path / "reviews.csv"
    rows = [(f"this is {'good' if i % 2 else 'bad'} number {i}", "yes" if i % 2 else "no") for i in range(60)]
    pl.DataFrame(rows, schema=["review", "liked"], orient="row").write_csv(path)
    return path


@pytest.fixture
def model(reviews: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    call("fit", "classify", reviews, "--text", "review", "--label", "liked", "--out", folder, *QUICK)
    return folder


# ---- what works -----------------------------------------------------------------------------------


def test_fit_evaluate_and_predict(
    model: Path, reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("evaluate", model, reviews)
    shown = capsys.readouterr().out
    assert "bag of words" in shown
    assert "60 sequences scored" in shown
    call("evaluate", model, reviews, "--json")
    assert json.loads(capsys.readouterr().out)["n"] == 60
    call("evaluate", model, reviews, "--confusion")
    assert "true \\ answered" in capsys.readouterr().out
    call("evaluate", model, reviews, "--confusion", "--json")
    assert np.sum(json.loads(capsys.readouterr().out)["confusion"]["counts"]) == 60
    for suffix, reader in ((".csv", pl.read_csv), (".jsonl", pl.read_ndjson), (".parquet", pl.read_parquet)):
        out = tmp_path / f"answers{suffix}"
        call("predict", model, reviews, "--out", out, "--probabilities")
        frame = reader(out)
        assert frame.height == 60
        assert set(frame["prediction"]) <= {"yes", "no"}
        total = frame["probability(no)"] + frame["probability(yes)"]
        assert total.min() > 0.999
    call("predict", model, reviews)
    lines = capsys.readouterr().out.splitlines()
    assert json.loads(lines[-1])["review"] == "this is good number 59"


def test_check_proves_the_laws_and_a_broken_one_ends_with_1(
    model: Path, reviews: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call("check", model, reviews)
    shown = capsys.readouterr().out
    assert "laws hold" in shown
    assert "bidirectional=False" in shown  # why it is not asked event by event
    call("check", model, reviews, "--json")
    assert json.loads(capsys.readouterr().out)["holds"] is True
    monkeypatch.setattr("unrolled.tasks.shared.laws_check._same_weights", lambda one, other: 0.5)
    app = make_app([])
    assert app(["check", str(model), str(reviews)], standalone_mode=False) == 1
    assert "BROKEN" in capsys.readouterr().out


def test_a_run_repeats_from_its_own_config(model: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    call("fit", "classify", "--config", model / "config.toml", "--out", again)
    (first,), (second,) = (list(folder.glob("weights-*.safetensors")) for folder in (model, again))
    assert first.read_bytes() == second.read_bytes()


def test_flags_win_over_the_config(model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    call("fit", "classify", "--config", model / "config.toml", "--out", other, "--hidden-size", "5")
    assert "hidden_size = 5" in (other / "config.toml").read_text()


def test_language_writes_and_forecast_and_tag_and_sequence_learn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be, " * 60)
    call("fit", "language", text, "--out", tmp_path / "bard", *QUICK)
    capsys.readouterr()
    call("generate", tmp_path / "bard", "--prompt", "to ", "--length", "5", "--seed", "1", "--count", "2")
    first, second = capsys.readouterr().out.strip("\n").split("\n")
    assert first.startswith("to ")
    assert first != second

    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 30), eager=True)
    series = pl.DataFrame({"day": days, "x": [float(i % 7) for i in range(len(days))]})
    series.write_csv(tmp_path / "x.csv")
    call("fit", "forecast", tmp_path / "x.csv", "--time", "day", "--target", "x", "--horizon", "3", "--out",
         tmp_path / "f", "--epochs", "1", "--hidden-size", "4")  # fmt: skip
    call("predict", tmp_path / "f", tmp_path / "x.csv", "--out", tmp_path / "f.csv")
    assert pl.read_csv(tmp_path / "f.csv").height == 3

    (tmp_path / "t.tsv").write_text("the\tDET\ncat\tNOUN\n\na\tDET\ndog\tNOUN\n\n" * 20)
    call("fit", "tag", tmp_path / "t.tsv", "--columns", "form,upos", "--words", "form", "--label", "upos", "--out",
         tmp_path / "t", *QUICK)  # fmt: skip
    call("evaluate", tmp_path / "t", tmp_path / "t.tsv")
    assert "most frequent label" in capsys.readouterr().out
    with pytest.raises(UnsupportedError, match=r"--confusion.*Tagger"):
        call("evaluate", tmp_path / "t", tmp_path / "t.tsv", "--confusion")

    frames = [{"roll": [[i % 2, 1] for i in range(5)]} for _ in range(30)]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, frames)))
    call("fit", "sequence", tmp_path / "r.jsonl", "--frames", "roll", "--out", tmp_path / "s", *QUICK)
    call("info", tmp_path / "s")
    assert "SequenceModel" in capsys.readouterr().out


def test_a_detector_is_fitted_asked_drawn_and_evaluated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wave = [float(step % 8) for step in range(400)]
    wave[350] = 30.0
    marks = [int(step == 350) for step in range(400)]
    series = pl.DataFrame({"t": range(400), "x": wave, "label": marks, "g": ["a"] * 400})
    series[:300].write_csv(tmp_path / "past.csv")
    series[300:].write_csv(tmp_path / "new.csv")
    model = tmp_path / "d"
    call("fit", "detect", tmp_path / "past.csv", "--time", "t", "--target", "x", "--group", "g", "--out", model, *QUICK)
    call("predict", model, tmp_path / "new.csv", "--out", tmp_path / "d.csv", "--picture", tmp_path / "d.png")
    found = pl.read_csv(tmp_path / "d.csv")
    assert found.filter("alarm")["t"].to_list() == [350]
    assert (tmp_path / "d.png").exists()
    capsys.readouterr()
    call("evaluate", model, tmp_path / "new.csv")
    assert "moving z-score" in capsys.readouterr().out
    with pytest.raises(UnsupportedError, match="inspect: a Detector"):
        call("inspect", model, tmp_path / "new.csv")
    call("fit", "detect", "--config", model / "config.toml", "--out", tmp_path / "again")
    call("predict", tmp_path / "again", tmp_path / "new.csv", "--out", tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "d.csv").read_text()


def test_a_mixture_draws_without_a_prompt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strokes = [{"pen": [[0.1 * i + 0.01 * n, 1.0, int(i == 3)] for i in range(4)]} for n in range(30)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, strokes)))
    model = tmp_path / "pen"
    call("fit", "sequence", tmp_path / "p.jsonl", "--frames", "pen", "--output", "mixture", "--components", "3",
         "--out", model, *QUICK)  # fmt: skip
    assert f"unrolled generate {model} --count 5" in capsys.readouterr().out
    words = ["generate", model, "--count", "3", "--length", "6", "--temperature", "0.5", "--seed", "1"]
    call(*words, "--out", tmp_path / "pen.svg", "--offsets")
    drawn = capsys.readouterr().out
    shapes = [json.loads(line)["pen"] for line in drawn.splitlines()]
    assert [1 <= len(shape) <= 6 and all(len(row) == 3 for row in shape) for shape in shapes] == [True] * 3
    assert "<svg" in (tmp_path / "pen.svg").read_text()
    call(*words)
    assert capsys.readouterr().out == drawn
    call(*words, "--prompt", "[[0.0, 1.0, 0]]")
    assert all(json.loads(line)["pen"][0] == [0.0, 1.0, 0] for line in capsys.readouterr().out.splitlines())
    for wrong, said in {
        ("--top-k", "3"): "--top-k: expected an option of a SequenceModel",
        ("--prompt", "[[0, 1"): "--prompt: expected frames as JSON",
        ("--prompt", "3"): "--prompt: expected frames as JSON",
        ("--offsets",): "--offsets: expected a picture",
        ("--out", "a.gif"): "a.gif",
    }.items():
        with pytest.raises(UnrolledError) as caught:
            call(*words, *wrong)
        assert said in str(caught.value)


def test_info_says_which_kernel_runs(capsys: pytest.CaptureFixture[str]) -> None:
    call("info")
    said = capsys.readouterr().out
    assert "lstm             tiles" in said
    assert "compiled code in" in said


# ---- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--text", "revew", "--label", "liked"], "the nearest is 'review'"),
        (["--text", "review", "--label", "like"], "the nearest is 'liked'"),
        (["--text", "review", "--label", "liked", "--cell", "lsmt"], "did you mean 'lstm'?"),
        (["--text", "review", "--label", "liked", "--epochs", "many"], "--epochs: expected an integer"),
        (["--text", "review", "--label", "liked", "--dropout", "1.5"], "dropout"),
        (["--text", "review", "--label", "liked", "--optimizer", "adm"], "adam"),
        (["--text", "review", "--label", "liked", "--format", "cvs"], "did you mean 'csv'?"),
        (["--text", "review"], "--label"),
        (["--text", "review", "--label", "liked", "--hidden-size", "1000000"], "memory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_option_is_one_sentence(reviews: Path, tmp_path: Path, words: list[str], said: str) -> None:
    with pytest.raises(UnrolledError) as caught:
        call("fit", "classify", reviews, "--out", tmp_path / "m", *QUICK[:2], *words)
    assert said in str(caught.value)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"review,liked\n", "at least one row"),
        (b"review,liked\n\xff\xfe,yes\n", "UTF-8"),
        (b"review,liked\n" + b"good,yes\n" * 30, "at least two"),
    ],
    ids=["empty", "only a header", "not text", "one class"],
)
def test_bad_data_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(UnrolledError) as caught:
        call("fit", "classify", tmp_path / "bad.csv", "--text", "review", "--label", "liked", "--out", tmp_path / "m")
    assert said in str(caught.value)


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_numbers_that_are_none_or_infinite(tmp_path: Path, bad: str) -> None:
    rows = [{"x": [1.0, 2.0, float(i)], "y": "ab"[i % 2]} for i in range(40)]
    rows[3]["x"] = [1.0, float(bad)]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words: list[Any] = ["fit", "classify", tmp_path / "x.jsonl", "--label", "y", "--out", tmp_path / "m", *QUICK]
    if bad == "nan":
        call(*words)  # a missing value, which the model is told about
        assert (tmp_path / "m").is_dir()
    else:
        with pytest.raises(UnrolledError, match="record 3"):
            call(*words)


def test_unseen_labels_are_named_when_scoring(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.csv").write_text("review,liked\ngood,perhaps\n")
    call("evaluate", model, tmp_path / "new.csv")
    assert "perhaps" in capsys.readouterr().out


def test_a_foreign_folder_is_refused_before_training(reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UnrolledError, match="new folder"):
        call("fit", "classify", reviews, "--text", "review", "--label", "liked", "--out", tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_the_data_is_never_overwritten_by_answers(model: Path, reviews: Path) -> None:
    before = reviews.read_bytes()
    with pytest.raises(OptionError, match="another file"):
        call("predict", model, reviews, "--out", reviews)
    assert reviews.read_bytes() == before


def test_lists_are_not_written_to_csv(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("the\tDET\ncat\tNOUN\n\n" * 30)
    call("fit", "tag", tmp_path / "t.tsv", "--words", "col_0", "--label", "col_1", "--out", tmp_path / "t", *QUICK)
    with pytest.raises(OptionError, match="jsonl"):
        call("predict", tmp_path / "t", tmp_path / "t.tsv", "--out", tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


def test_a_config_with_an_unknown_option_suggests_the_nearest(reviews: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[model]\nhiden_size = 3\n")
    with pytest.raises(OptionError, match="hidden_size"):
        call("fit", "classify", reviews, "--config", tmp_path / "c.toml")


def test_sections_of_a_config_only_group(reviews: Path, tmp_path: Path) -> None:
    lines = ["[columns]", 'text = "review"', 'label = "liked"', "[training]", "epochs = 1", "hidden_size = 3"]
    (tmp_path / "c.toml").write_text("\n".join(lines))
    call("fit", "classify", reviews, "--config", tmp_path / "c.toml", "--out", tmp_path / "m")
    assert "hidden_size = 3" in (tmp_path / "m" / "config.toml").read_text()


# ---- exit codes, in fresh processes -----------------------------------------------------------------


def test_exit_codes_and_no_traceback(tmp_path: Path) -> None:
    missing = run("evaluate", tmp_path / "no-model", "x.csv")
    assert missing.returncode == 2
    assert missing.stderr.startswith("error: model: expected a folder")
    assert missing.stderr.count("\n") == 1
    unknown = run("fit", "classify", "x.csv", "--hiden-size", "3")
    assert unknown.returncode == 2
    assert "--hidden-size" in unknown.stderr
    assert "Traceback" not in missing.stderr + unknown.stderr
    assert run("--help").returncode == 0


# ---- options come from the API ----------------------------------------------------------------------


def test_every_training_option_has_its_text() -> None:
    arguments = arguments_of(TrainingOptions)
    assert [a.name for a in arguments] == list(TrainingOptions.__dataclass_fields__)
    assert all(argument.text for argument in arguments)


def test_every_option_of_a_task_has_its_text_and_default() -> None:
    arguments = {argument.name: argument for argument in arguments_of(Classifier, ("inputs", "target", "training"))}
    assert arguments["hidden_size"].kind is int
    assert arguments["hidden_size"].default == 128
    assert arguments["bidirectional"].kind is bool
    assert all(argument.text for argument in arguments.values())


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("hidden_size", "12", 12),
        ("dropout", "0.5", 0.5),
        ("layers", "layer_norm=true,size=3", {"layer_norm": True, "size": 3}),
        ("cell", "gru", "gru"),
    ],
)
def test_values_are_read_by_their_type(name: str, text: str, value: object) -> None:
    argument = next(a for a in arguments_of(Classifier) if a.name == name)
    assert parse(argument, text) == value


def test_a_band_is_two_numbers() -> None:
    argument = next(a for a in arguments_of(TrainingOptions) if a.name == "clip_band")
    assert parse(argument, "0.1,2") == [0.1, 2.0]
