"""The captioner: it names what it sees, from pictures, vectors or maps of vectors, and says where it looked."""

import numpy as np
import pytest

from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.text.words import Words
from unrolled.errors import DataError, InputError
from unrolled.tasks.registry import load
from unrolled.tasks.seq2seq.captioner import Captioner

SIDE = 32
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 30), "blue": (40, 40, 230)}
SHAPES = ("square", "bar", "frame")
PLACES = {"left": 2, "right": 18}


def scene(colour: str, shape: str, place: str, noise: np.random.Generator) -> dict[str, object]:
    """A coloured shape on white, and a sentence about it; name, colour and place are independent."""
    picture = np.full((SIDE, SIDE, 3), 255, dtype=np.uint8)
    top, left = int(noise.integers(4, 16)), PLACES[place] + int(noise.integers(0, 3))
    high = 4 if shape == "bar" else 12
    picture[top : top + high, left : left + 12] = COLOURS[colour]
    if shape == "frame":
        picture[top + 3 : top + 9, left + 3 : left + 9] = 255
    return {"picture": picture, "caption": f"a {colour} {shape} on the {place}", "place": place}


def scenes(count: int, seed: int = 0) -> list[dict[str, object]]:
    draw = np.random.default_rng(seed)
    return [
        scene(str(draw.choice(list(COLOURS))), str(draw.choice(SHAPES)), str(draw.choice(list(PLACES))), draw)
        for _ in range(count)
    ]


@pytest.fixture(scope="module")
def seer() -> Captioner:
    model = Captioner(Pictures("picture", size=SIDE), hidden_size=48, dropout=0.0)
    return model.fit(scenes(240), epochs=16, learning_rate=4e-3, batch_size=16, device="cpu")


def test_colour_shape_and_place_are_named(seer):
    scores = seer.evaluate(scenes(60, seed=1))
    assert scores.model["exact"] > 0.9
    assert scores.leading == "cider_d"
    assert scores.wins
    assert {"most frequent caption"} < set(scores.baselines)


def test_some_word_is_written_while_looking_at_the_thing_wherever_it_is(seer):
    held_out = scenes(40, seed=2)
    found = seer.align(held_out)
    assert found[0].grid[0] * found[0].grid[1] == found[0].weights.shape[1]
    assert found[0].written == tuple(held_out[0]["caption"].split())
    high, wide = (SIDE // places for places in found[0].grid)
    looks = []  # how much of the attention is on the thing, for each word, where 1 is what chance gives
    for row, alignment in zip(held_out, found, strict=True):
        inked = row["picture"].min(2) < 255
        thing = inked.reshape(SIDE // high, high, SIDE // wide, wide).any((1, 3)).ravel()  # (P,)
        looks.append(alignment.weights[:6, thing].sum(1) / thing.mean())  # (T,)
    assert np.mean(looks, 0).max() > 2


def test_vectors_and_maps_of_vectors_do_as_well_as_pictures():
    draw = np.random.default_rng(0)
    data = []
    for _ in range(200):
        colour, place = str(draw.choice(["red", "blue"])), int(draw.integers(2))
        places = [[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]
        places[place] = [1.0, 0.0, 0.0] if colour == "red" else [0.0, 1.0, 0.0]
        data.append(
            {
                "map": places,
                "vector": [*places[0], *places[1]],
                "caption": f"{colour} {'left' if not place else 'right'}",
            }
        )
    of_vectors = Captioner("vector", hidden_size=24, dropout=0.0)
    of_vectors.fit(data[:160], epochs=15, learning_rate=0.01, batch_size=8, device="cpu")
    assert of_vectors.evaluate(data[160:]).model["exact"] == 1
    of_maps = Captioner(Frames("map"), hidden_size=24, dropout=0.0)
    of_maps.fit(data[:160], epochs=15, learning_rate=0.01, batch_size=8, device="cpu")
    # places of a map come without their order: what is there can be told, not where
    answers = of_maps.predict(data[160:])
    assert all(answer.split()[0] == row["caption"].split()[0] for answer, row in zip(answers, data[160:], strict=True))
    (alignment,) = of_maps.align(data[:1])
    assert alignment.read == ("place 1", "place 2")


def test_files_beside_their_table_are_found_again_after_loading(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rows = []
    for place, row in enumerate(scenes(12)):
        image.fromarray(row["picture"]).save(tmp_path / f"{place}.png")
        rows.append({"picture": f"{place}.png", "caption": row["caption"]})
    model = Captioner(Pictures("picture", size=16, folder=str(tmp_path)), hidden_size=8)
    model.fit(rows, epochs=1, device="cpu", baselines=False).save(tmp_path / "m")
    assert load(tmp_path / "m").predict(rows) == model.predict(rows)


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Captioner(decoder={"copy": True}).fit(scenes(9)), "no words to copy"),
        (lambda: Captioner(Words("caption")).fit(scenes(9)), "Pictures or Frames"),
        (lambda: Captioner("pictur").fit(scenes(9)), "the nearest is 'picture'"),
        (lambda: Captioner(target="captions").fit(scenes(9)), "the nearest is 'caption'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(act, words):
    with pytest.raises(InputError, match=words):
        act()


def test_an_empty_or_missing_caption_is_learnt_as_saying_nothing():
    data = [
        {"picture": np.full((4, 4), 9, np.uint8), "caption": caption} for caption in ("", None, "a dot") for _ in "ab"
    ]
    model = Captioner(Pictures("picture", size=4), hidden_size=8).fit(data, epochs=1, device="cpu")
    assert all(isinstance(answer, str) for answer in model.predict(data))
    with pytest.raises(DataError, match="caption"):
        Captioner(Pictures("picture", size=4), hidden_size=8).fit([{**row, "caption": ""} for row in data])


def test_a_missing_picture_is_named_by_its_record(seer):
    with pytest.raises(DataError, match="record 1"):
        seer.predict([*scenes(1), {"picture": None}])
    with pytest.raises(DataError, match=r"nowhere\.png"):
        seer.predict([{"picture": "nowhere.png"}])
