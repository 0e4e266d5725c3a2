"""A model that was compared with a rival of its size is loaded with it, and both open files or neither does."""

import pytest

from folders.tiny_tasks import MAKERS, TRAINING
from unrolled.codecs.base import Codec
from unrolled.tasks.registry import load


def opening(task) -> set[bool]:
    """Whether the codecs that could open files may do so now, of a model and its rival."""
    codecs: list[Codec] = [
        codec for one in (task, task.rival_) for codec in (*one._input_codecs(), *one._answer_codecs())
    ]
    return {codec.may_open for codec in codecs if codec.opens_files}


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("Classifier", {"num_layers": 12, "hidden_size": 40}),  # its net has far more weights than one of its layers
        ("Captioner", {}),
        ("Detector", {}),
        ("NextPlace", {}),
    ],
)
def test_a_model_and_its_rival_come_back_from_one_folder(name, sizes, tmp_path):
    model, data, ask = MAKERS[name]()
    model.set_params(**sizes).fit(data, **TRAINING, rival=True)
    folder, asked = model.save(tmp_path / "model"), data[:5] if isinstance(data, list) else data
    for files in (True, False):
        again = load(folder, files)
        assert repr(ask(again, asked)) == repr(ask(model, asked))
        assert repr(ask(again.rival_, asked)) == repr(ask(model.rival_, asked))
        assert opening(again) == ({files} if name == "Captioner" else set())
