"""Classifier on recordings: files, folders, arrays and tables; learning, saving, masking, and bad ones."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

import unrolled as ur
from sounds import RATE, tone, voice, write, write_voices
from unrolled.cli.main import make_app
from unrolled.codecs.media import audio
from unrolled.errors import DataError

FAST = {"epochs": 8, "learning_rate": 0.01, "batch_size": 8, "validation": 0.0}


def records(count: int, seed: int) -> list[dict[str, object]]:
    rng = np.random.default_rng(seed)
    return [{"clip": voice(row % 3, rng), "who": "abc"[row % 3]} for row in range(count)]


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


def table_of(folder: Path) -> Path:
    """A CSV beside the recordings that names them as seen from itself."""
    rows = [{"recording": str(Path(r["file"]).relative_to(folder)), "speaker": r["label"]} for r in ur.read(folder)]
    pl.DataFrame(rows).write_csv(folder / "voices.csv")
    return folder / "voices.csv"


def test_voices_are_told_apart_beside_the_mean_spectrum(tmp_path: Path) -> None:
    train, test = (ur.read(write_voices(tmp_path / part, 3, 12, seed)) for seed, part in enumerate(("a", "b")))
    model = ur.Classifier(ur.Audio("file"), "label", hidden_size=24).fit(train, **FAST)
    scores = model.evaluate(test)
    assert scores.model["accuracy"] >= 0.9
    assert {"majority class", "mean spectrum + logistic regression"} <= set(scores.baselines)
    assert scores.baselines["mean spectrum + logistic regression"]["accuracy"] > 0.5
    again = ur.load(model.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(test), model.predict_proba(test))
    assert again.evaluate(test).to_json() == scores.to_json()


def test_files_arrays_and_pairs_give_the_same_model(tmp_path: Path) -> None:
    plain = records(12, 0)
    rate = [{**record, "clip": (record["clip"], RATE)} for record in plain]
    rows = zip(plain, range(99), strict=False)
    files = [{**r, "clip": write(tmp_path / f"{place}.wav", r["clip"], subtype="DOUBLE")} for r, place in rows]
    answers = []
    for data in (plain, rate, files):
        model = ur.Classifier(ur.Audio("clip"), "who", hidden_size=4).fit(data, epochs=1, validation=0.0)
        answers.append(model.predict_proba(data))
    np.testing.assert_allclose(answers[0], answers[1])
    np.testing.assert_allclose(answers[0], answers[2], atol=1e-5)


def test_every_recording_is_decoded_once_for_all_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = ur.read(write_voices(tmp_path, 3, 4))
    model = ur.Classifier(ur.Audio("file"), "label", hidden_size=4).fit(data, epochs=1)
    read, count = audio.read_sound, 0

    def counted(*given: object) -> object:
        nonlocal count
        count += 1
        return read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(audio, "read_sound", counted)
    model.evaluate(data)
    assert count == len(data)
    count = 0
    model.fit(data, epochs=1, validation=0.0)
    assert count == 2 * len(data)  # once to learn, once to encode


def test_a_recording_beside_other_columns_is_read_with_them() -> None:
    data = [{**record, "age": float(row % 3)} for row, record in enumerate(records(30, 0))]
    model = ur.Classifier([ur.Audio("clip"), "age"], "who", hidden_size=4).fit(data, epochs=1, validation=0.0)
    assert model.network_.inputs.static_size == 1
    assert "mean spectrum + logistic regression" in model.evaluate(data).baselines


def test_several_labels_at_once_have_the_same_baselines() -> None:
    data = [
        {"clip": r["clip"], "tags": [r["who"], "x"] if row % 2 else [r["who"]]} for row, r in enumerate(records(12, 0))
    ]
    model = ur.Classifier(ur.Audio("clip"), ur.MultiLabels("tags"), hidden_size=4).fit(data, epochs=1, validation=0.0)
    assert any("mean spectrum" in name for name in model.evaluate(data).baselines)


def test_masking_changes_what_is_learnt_but_no_answer(tmp_path: Path) -> None:
    data = records(12, 0)
    answers = {}
    for strength in (0.0, 1.0, 1.0):
        model = ur.Classifier(ur.Audio("clip", augment=strength), "who", hidden_size=4)
        found = model.fit(data, epochs=1, validation=0.0).predict_proba(data)
        np.testing.assert_array_equal(found, model.predict_proba(data))
        np.testing.assert_array_equal(found, answers.setdefault(strength, found))  # the same seed, the same model
    assert not np.array_equal(answers[0.0], answers[1.0])


def test_clips_without_a_sample_are_answered_and_nothing_but_such_refused() -> None:
    data = records(12, 0)
    model = ur.Classifier(ur.Audio("clip"), "who", hidden_size=4).fit(
        [*data, {"clip": [], "who": "a"}, {"clip": None, "who": "b"}], epochs=1, validation=0.0
    )
    shares = model.predict_proba([{"clip": []}, {"clip": np.zeros(RATE)}, {"clip": tone(440, 0.001)}])
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    with pytest.raises(DataError, match="at least one record with a value"):
        ur.Classifier(ur.Audio("clip"), "who").fit([{"clip": [], "who": "a"}, {"clip": [], "who": "b"}])


def test_a_bad_file_is_named_at_every_door(tmp_path: Path) -> None:
    folder = write_voices(tmp_path, 2, 4)
    model = ur.Classifier(None, "label", hidden_size=4).fit(ur.read(folder), epochs=1)
    (folder / "speaker1" / "bad.wav").write_bytes(b"RIFFnothing")
    for use in (model.predict, model.evaluate, ur.Classifier(None, "label").fit):
        with pytest.raises(DataError, match=r"column 'file', record \d: expected a sound file.*bad\.wav"):
            use(ur.read(folder))


def test_inspection_looks_into_recordings(tmp_path: Path) -> None:
    data = records(12, 0)
    model = ur.Classifier(ur.Audio("clip"), "who", hidden_size=4).fit(data, epochs=1, validation=0.0)
    found = model.inspect(data, row=1)
    assert found.scores is not None
    assert json.dumps(found.to_json())


def test_the_command_line_learns_from_a_table_and_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_voices(tmp_path / "voices", 3, 8)
    table = table_of(folder)
    monkeypatch.chdir(tmp_path / "..")  # names in the table are as seen from the table
    quick = ["--epochs", 1, "--hidden-size", 4]
    named = ["--audio", "recording", "--label", "speaker"]
    for data, words in ((table, named), (table, ["--label", "speaker"]), (folder, [])):
        call("fit", "classify", data, *words, "--out", tmp_path / "model", *quick)
        capsys.readouterr()
        call("evaluate", tmp_path / "model", data)
        assert "mean spectrum + logistic regression" in capsys.readouterr().out
        call("predict", tmp_path / "model", data, "--out", tmp_path / "answers.csv")
        answers = pl.read_csv(tmp_path / "answers.csv")
        assert set(answers["prediction"]) <= {"speaker0", "speaker1", "speaker2"}
    call("predict", tmp_path / "model", folder / "speaker0", "--out", tmp_path / "new.csv")
    assert pl.read_csv(tmp_path / "new.csv").height == 8


def test_a_seed_gives_one_model_whatever_was_drawn_before() -> None:
    data, found = records(12, 0), []
    for _ in range(2):
        torch.rand(3)
        model = ur.Classifier(ur.Audio("clip"), "who", hidden_size=4).fit(data, epochs=2, validation=0.0, seed=5)
        found.append(model.predict_proba(data))
    np.testing.assert_array_equal(*found)
