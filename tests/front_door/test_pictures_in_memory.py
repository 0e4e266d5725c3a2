"""Pictures as arrays, tensors, images and lists of numbers get into a Captioner, in records and as two lists."""

import numpy as np
import pytest
import torch
from PIL import Image

import unrolled as ur
from unrolled.data.readers import as_source
from unrolled.errors import OptionError

TINY = {"epochs": 1, "progress": False, "baselines": False}
PIXELS = (np.random.default_rng(0).random((8, 6, 6, 3)) * 255).astype(np.uint8)
CAPTIONS = ["a dark one", "a light one"] * 4
PICTURES = {
    "arrays": list(PIXELS),
    "one array": PIXELS,
    "arrays with channels first": list(PIXELS.transpose(0, 3, 1, 2)),
    "a tensor": torch.from_numpy(PIXELS).permute(0, 3, 1, 2),
    "tensors": list(torch.from_numpy(PIXELS)),
    "images": [Image.fromarray(pixels) for pixels in PIXELS],
}


@pytest.fixture(scope="module")
def want():
    return fitted(list(PIXELS)).n_best(list(PIXELS[:2]))


def fitted(pictures, y=CAPTIONS):
    return ur.Captioner(hidden_size=4).fit(pictures, y, **TINY)


@pytest.mark.parametrize("way", PICTURES)
def test_pictures_of_any_kind_give_the_same_model(way, want):
    given = PICTURES[way]
    assert fitted(given).n_best(given[:2]) == want
    records = [{"picture": picture, "caption": caption} for picture, caption in zip(given, CAPTIONS, strict=True)]
    assert fitted(records, None).n_best([{"picture": picture} for picture in given[:2]]) == want


def test_grey_pictures_are_one_list_of_rows_each():
    grey = PIXELS[..., 0]
    model = ur.Captioner(ur.Pictures("picture", size=6, channels=1), hidden_size=4).fit(grey, CAPTIONS, **TINY)
    assert model.n_best(grey[:2]) == model.n_best([{"picture": one.tolist()} for one in grey[:2]])
    assert model.n_best(list(grey[:2])) == model.n_best([Image.fromarray(one) for one in grey[:2]])


def test_grey_pictures_need_no_codec_and_vectors_of_a_network_are_no_pictures():
    grey = PIXELS[..., 0]
    for given in (grey, list(grey), torch.from_numpy(grey), [one.tolist() for one in grey]):
        assert isinstance(fitted(given).reader_, ur.Pictures)
        assert fitted(given).reader_.channels == 1
    records = [{"picture": one, "caption": text} for one, text in zip(grey, CAPTIONS, strict=True)]
    assert isinstance(fitted(records, None).reader_, ur.Pictures)
    for vectors in (grey / 255, grey // 128, grey.astype(int) * 2):
        assert isinstance(fitted(vectors).reader_, ur.Frames)


def test_pictures_are_written_as_lists_in_tables_of_text():
    grey = [{"picture": one[..., 0].tolist(), "caption": text} for one, text in zip(PIXELS, CAPTIONS, strict=True)]
    model = ur.Captioner(ur.Pictures("picture", size=6, channels=1), "caption", hidden_size=4).fit(grey, **TINY)
    lines = "\n".join(f'"{row["picture"]}"' for row in grey[:3])
    assert model.n_best(ur.read_csv(f"picture\n{lines}\n".encode())) == model.n_best(grey[:3])
    assert model.n_best({"picture": [str(row["picture"]) for row in grey[:3]]}) == model.n_best(grey[:3])


def test_an_image_is_no_list_of_numbers():
    image = PICTURES["images"][0]
    for given in ([image], [{"x": image}], {"x": [image]}):
        assert list(as_source(given)) == [{"x": image}]


def test_films_are_no_pictures():
    with pytest.raises(OptionError, match="picture: expected Pictures or Frames"):
        ur.Captioner(ur.Video("picture"), hidden_size=4).fit(list(PIXELS), CAPTIONS, **TINY)
