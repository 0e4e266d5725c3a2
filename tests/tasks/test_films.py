"""A classifier of films: convolution and recurrence together, with everything a classifier of texts can do."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

from unrolled.baselines.mean_frame import MeanFrame
from unrolled.cli.main import make_app
from unrolled.codecs.infer import infer_codecs
from unrolled.codecs.media import film
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.media.video import Video
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.labels import MultiLabels
from unrolled.errors import DataError, OptionError
from unrolled.tasks.classification.classifier import Classifier
from unrolled.tasks.registry import load
from unrolled.tasks.shared.memory_estimate import estimate_memory
from unrolled.training.options import TrainingOptions

SMALL = {"hidden_size": 8, "dropout": 0.0}


def clips(count=40, seed=0, shape=(8, 8, 3)):
    """Films that grow brighter or darker, with a picture beside each."""
    rng = np.random.default_rng(seed)
    records = []
    for number in range(count):
        steps = np.linspace(20, 220, int(rng.integers(2, 6)))[:: 1 if number % 2 else -1]
        frames = np.stack([np.full(shape, step, dtype=np.uint8) for step in steps])
        label = "brighter" if number % 2 else "darker"
        records.append({"clip": frames, "poster": frames[0], "mood": [label[0], "x"], "activity": label})
    return records


CLIPS = clips()


@pytest.fixture(scope="module")
def fitted():
    inputs = [Video("clip", 8, embedding_size=16), Pictures("poster", 8, embedding_size=16)]
    training = {"epochs": 3, "validation": 0.25, "batch_size": 8, "device": "cpu"}
    return Classifier(inputs, "activity", training=training, **SMALL).fit(CLIPS)


def test_films_and_pictures_are_learnt_from_together_beside_their_baseline(fitted):
    assert fitted.network_.inputs.size == fitted.network_.inputs.static_size == 16
    assert [baseline.name for baseline in fitted.baselines_.values()] == ["majority class", MeanFrame.name]
    assert set(fitted.scores_.baselines) == {"majority class", MeanFrame.name}
    assert fitted.evaluate(CLIPS).n == len(CLIPS)


def test_order_is_learnt_that_the_mean_frame_does_not_show():
    frames = [{"clip": record["clip"], "activity": record["activity"]} for record in clips(80)]
    model = Classifier(Video("clip", 8, 1, embedding_size=16), "activity", bidirectional=False, **SMALL)
    scores = model.fit(frames[:60], epochs=15, learning_rate=0.01).evaluate(frames[60:])
    assert scores.model["accuracy"] >= 0.95
    assert scores.baselines[MeanFrame.name]["accuracy"] <= 0.8


def test_a_saved_model_of_films_answers_and_compares_as_before(fitted, tmp_path):
    again = load(fitted.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(CLIPS), fitted.predict_proba(CLIPS))
    assert again.evaluate(CLIPS) == fitted.evaluate(CLIPS)


def test_an_answer_does_not_depend_on_the_other_films(fitted):
    together = fitted.predict_proba(CLIPS)
    alone = np.concatenate([fitted.predict_proba([record]) for record in CLIPS])
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-5)


def test_the_same_seed_gives_the_same_weights():
    models = [
        Classifier(Video("clip", 8, embedding_size=16), "activity", **SMALL).fit(CLIPS, epochs=1, seed=seed)
        for seed in (0, 0, 1)
    ]
    weights = [model.network_.state_dict() for model in models]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not all(torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


def test_a_film_is_looked_into_frame_by_frame(fitted):
    seen = fitted.inspect(CLIPS, row=1)
    frames = len(CLIPS[1]["clip"])
    assert seen.unfolding.length == len(seen.saliency.gradient) == len(seen.saliency.occlusion) == frames
    assert seen.labels == ()


def test_a_causal_model_of_films_answers_after_each_frame_what_it_answers_at_the_end():
    inputs = Video("clip", 8, embedding_size=16)
    model = Classifier(inputs, "activity", bidirectional=False, pooling="last", **SMALL).fit(CLIPS, epochs=1)
    one = model._encode(model._source(CLIPS[:1]), targets=False)
    state = model.network_.initial_state(1)
    with torch.no_grad():
        for step in range(one.num_steps):
            raw, state = model.network_.step(one.slice_time(step, step + 1), state)
    np.testing.assert_allclose(model.network_.output.describe(raw).numpy(), model.predict_proba(CLIPS[:1]), atol=1e-4)


def test_films_without_a_frame_are_answered_too(fitted):
    empty = {**CLIPS[0], "clip": CLIPS[0]["clip"][:0]}
    assert np.isfinite(fitted.predict_proba([empty, CLIPS[1]])).all()
    assert fitted.evaluate([empty, CLIPS[1]]).n == 2


def test_sets_of_labels_are_learnt_from_films():
    model = Classifier(Video("clip", 8, embedding_size=16), MultiLabels("mood"), **SMALL).fit(CLIPS, epochs=1)
    assert f"per_label:{MeanFrame.key}" in model.baselines_
    assert model.predict_proba(CLIPS).shape == (len(CLIPS), 3)


def test_films_and_labels_may_come_apart_as_arrays():
    films, labels = [record["clip"] for record in CLIPS], [record["activity"] for record in CLIPS]
    model = Classifier(**SMALL).fit(films, labels, epochs=1)
    assert isinstance(model.codecs_.codecs[0], Video)
    assert model.predict(films).shape == (len(films),)


def test_pictures_alone_are_no_sequence():
    with pytest.raises(DataError, match="at least one column that holds a sequence"):
        Classifier(Pictures("poster", 8), "activity").fit(CLIPS)


def test_the_estimate_of_memory_grows_with_pictures_and_their_number():
    def estimate(size, batch_size):
        model = Classifier(Video("clip", size, embedding_size=32), "activity", **SMALL)
        source = model._source(CLIPS)
        model._learn(source)
        options = TrainingOptions.from_keywords({"batch_size": batch_size, "device": "cpu"}, {})
        return estimate_memory(model._make_network(), model._encode(source), options)

    assert estimate(32, 16) > 2 * estimate(16, 16)
    assert estimate(32, 16) > 1.5 * estimate(32, 8)
    # at least the bytes that one pass keeps of the pictures themselves as numbers
    assert estimate(64, 16) > 4 * 16 * 2 * 3 * 64 * 64


# ---- files --------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Animations by name in a table beside their folder."""
    (tmp_path / "films").mkdir()
    rows = []
    for number, record in enumerate(CLIPS[:24]):
        first, *rest = [Image.fromarray(frame) for frame in record["clip"]]
        first.save(tmp_path / "films" / f"{record['activity']}{number}.gif", save_all=True, append_images=rest)
        rows.append((f"{record['activity']}{number}.gif", record["activity"]))
    pl.DataFrame(rows, schema=["clip", "activity"], orient="row").write_csv(tmp_path / "clips.csv")
    return tmp_path


def test_names_of_files_are_no_text_to_any_baseline(folder):
    names = [{"clip": str(path), "activity": path.name[0]} for path in sorted((folder / "films").iterdir())]
    model = Classifier(["clip"], "activity", **SMALL).fit(names, epochs=1)
    assert isinstance(model.codecs_.codecs[0], Video)
    assert list(model.baselines_) == ["majority", "mean_frame"]


def test_baselines_read_no_film_again(folder, monkeypatch):
    read = []
    real = film._animation
    monkeypatch.setattr(film, "_animation", lambda path, *rest: read.append(path) or real(path, *rest))
    names = [{"clip": str(path), "activity": path.name[0]} for path in sorted((folder / "films").iterdir())]
    model = Classifier(Video("clip", 8, embedding_size=16), "activity", **SMALL)
    model.fit(names, epochs=1, validation=0.0)
    assert len(read) == 2 * len(names)  # once to learn the mean, once to encode
    model.evaluate(names)
    assert len(read) == 3 * len(names)


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


QUICK = ["--epochs", "1", "--hidden-size", "4", "--validation", "0.4"]


def test_the_command_line_learns_from_films_in_a_folder(folder, capsys):
    words = ("fit", "classify", folder / "clips.csv", "--video", "clip", "--image-dir", folder / "films")
    call(*words, "--label", "activity", "--out", folder / "model", *QUICK)
    assert MeanFrame.name in capsys.readouterr().out
    call("predict", folder / "model", folder / "clips.csv")
    assert len(capsys.readouterr().out.splitlines()) >= 24
    assert load(folder / "model").codecs_.codecs[0].folder == str(folder / "films")


def test_a_picture_beside_a_film_is_a_flag_too(folder):
    words = ("fit", "classify", folder / "clips.csv", "--video", "clip", "--image", "clip", "--label", "activity")
    call(*words, "--image-dir", folder / "films", "--out", folder / "model", *QUICK)
    assert [type(codec) for codec in load(folder / "model").codecs_.codecs] == [Pictures, Video]


def test_a_folder_of_pictures_without_a_column_of_them_is_refused(folder):
    words = ("fit", "classify", folder / "clips.csv", "--label", "activity", "--image-dir", folder)
    with pytest.raises(OptionError, match="--image or --video"):
        call(*words, "--out", folder / "model", *QUICK)


@pytest.mark.parametrize(
    ("values", "codec"),
    [
        (["a.png", "b/c.JPG"], Pictures),
        (["a.mp4", None, "b.avi"], Video),
        (["a.gif", "b.gif"], Video),
        ([Image.new("L", (4, 4))], Pictures),
        ([np.zeros((2, 4, 4), dtype=np.uint8)], Video),
        ([[[0, 1], [1, 0]]], Frames),
    ],
    ids=["pictures", "films", "all gif", "an image", "an array", "vectors"],
)
def test_columns_of_pictures_and_films_are_known_by_their_suffixes_and_shapes(values, codec):
    assert [type(chosen) for chosen in infer_codecs([{"x": value} for value in values])] == [codec]
