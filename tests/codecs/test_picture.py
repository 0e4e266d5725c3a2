"""Pictures: whatever they come as, they become the same square of bytes, and bad ones are named."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unrolled.codecs.media import pixels
from unrolled.codecs.media.picture import Pictures
from unrolled.errors import DataError, OptionError

GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLOURS = np.stack([GRADIENT, GRADIENT.T, 255 - GRADIENT], 2)  # (16, 16, 3)


def seen(value, size=16, channels=3, **options):
    """One encoded picture, (C, S, S)."""
    codec = Pictures("file", size, channels, **options)._learn(mean_=[0.0] * channels, std_=[1.0] * channels)
    return codec.encode([{"file": value}]).values[0].numpy()


def colour(value, size=16):
    """The colour of the middle."""
    return seen(value, size)[:, size // 2, size // 2].tolist()


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "gif"])
def test_a_file_an_image_and_an_array_of_one_picture_encode_alike(tmp_path, suffix):
    grey = Image.fromarray(GRADIENT)
    grey.save(tmp_path / f"p.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    read = seen(str(tmp_path / f"p.{suffix}"))
    assert np.array_equal(read, np.stack([GRADIENT] * 3))
    for other in (tmp_path / f"p.{suffix}", grey, GRADIENT, GRADIENT.tolist(), GRADIENT[..., None], GRADIENT / 255):
        assert np.array_equal(seen(other), read)


def test_relative_paths_start_at_the_folder(tmp_path, monkeypatch):
    Image.fromarray(COLOURS).save(tmp_path / "p.png")
    expected = COLOURS.transpose(2, 0, 1)
    assert np.array_equal(seen("p.png", folder=str(tmp_path)), expected)
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(seen("p.png"), expected)


def test_modes_of_pixels_show_the_colour_they_mean(tmp_path):
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    assert colour(red.convert("P", palette=Image.Palette.ADAPTIVE)) == [255, 0, 0]
    assert colour(red.convert("CMYK")) == [255, 0, 0]
    assert colour(red.convert("RGBA")) == [255, 0, 0]
    assert colour(Image.new("1", (8, 8), 1)) == [255] * 3
    assert colour(np.zeros((4, 4), dtype=bool)) == [0] * 3
    red.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    assert np.allclose(colour(tmp_path / "cmyk.jpg"), [255, 0, 0], atol=8)
    half = np.full((8, 8), 32896, dtype=np.uint16)
    Image.fromarray(half).save(tmp_path / "deep.png")
    assert colour(tmp_path / "deep.png") == colour(half) == [128] * 3
    assert colour(Image.fromarray(half.astype(np.int32))) == [128] * 3
    assert colour(Image.fromarray(np.full((8, 8), 0.5, dtype=np.float32))) == [128] * 3


def test_colour_becomes_grey_by_its_luma():
    assert seen(Image.new("RGB", (8, 8), (0, 255, 0)), 8, channels=1)[0, 0, 0] == round(0.587 * 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_white(tmp_path, mode):
    picture = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    picture.paste((0, 0, 0, 255), (0, 0, 4, 8))
    if mode == "P":
        flat = Image.new("P", (8, 8), 0)
        flat.putpalette([0, 0, 0, 0, 0, 0])
        flat.paste(1, (4, 0, 8, 8))
        flat.save(tmp_path / "p.png", transparency=bytes([255, 0]))
    else:
        picture.convert(mode).save(tmp_path / "p.png")
    row = seen(tmp_path / "p.png", 8)[:, 4]
    assert row[:, :4].max() == 0
    assert row[:, 4:].min() == 255


def test_half_transparent_ink_is_mixed_with_white():
    assert np.allclose(colour(Image.new("RGBA", (8, 8), (0, 0, 0, 51))), [204] * 3, atol=1)


def test_the_rotation_a_camera_noted_is_carried_out(tmp_path):
    picture = Image.new("L", (16, 16), 0)
    picture.paste(255, (0, 0, 16, 8))  # the upper half is bright
    notes = Image.Exif()
    notes[0x0112] = 6  # to be turned by 90 degrees clockwise
    for suffix in ("jpg", "png", "tiff"):
        picture.save(tmp_path / f"turned.{suffix}", exif=notes)
        turned = seen(tmp_path / f"turned.{suffix}")[0]
        assert turned[:, 8:].mean() > 250
        assert turned[:, :8].mean() < 5


@given(height=st.integers(1, 40), width=st.integers(1, 40), size=st.integers(1, 12))
def test_proportions_are_kept_and_white_fills_the_rest(height, width, size):
    black = seen(np.zeros((height, width), dtype=np.uint8), size, channels=1)[0] == 0
    longer = max(height, width)
    sides = black.any(1).sum(), black.any(0).sum()
    assert sides == (max(1, round(height * size / longer)), max(1, round(width * size / longer)))
    assert black.sum() == sides[0] * sides[1]
    if min(sides) < size:
        assert seen(np.zeros((height, width), dtype=np.uint8), size, channels=1).max() == 255


def test_a_picture_of_one_pixel_fills_the_square():
    assert np.array_equal(
        seen(np.array([[[7, 8, 9]]], dtype=np.uint8), 4), np.full((3, 4, 4), 7) + [[[0]], [[1]], [[2]]]
    )


def test_shrinking_averages_and_does_not_pick():
    chequered = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    assert np.allclose(seen(chequered, 8)[:, 2:-2, 2:-2], 127.5, atol=2)


# ---- bad input ---------------------------------------------------------------------------------------


def png_of(width, height):
    """The head of a PNG file that claims a size, without pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_000, 12_000, 20_000], ids=lambda side: f"{side}x{side}")
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, side):
    (tmp_path / "huge.png").write_bytes(png_of(side, side))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"column 'file', record 0.*64,000,000 pixels.*huge\.png"):
        seen(str(tmp_path / "huge.png"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_an_array_or_image_of_too_many_pixels_is_refused(monkeypatch):
    monkeypatch.setattr(pixels, "MAX_PIXELS", 99)
    for huge in (np.zeros((10, 10), dtype=np.uint8), Image.new("L", (10, 10))):
        with pytest.raises(DataError, match="at most 99 pixels"):
            seen(huge)


@pytest.mark.parametrize("cut", [0, 3, 40, 100])
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif"])
def test_a_damaged_file_is_named_with_its_record(tmp_path, suffix, cut):
    good = tmp_path / f"good.{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(good)
    (tmp_path / f"bad.{suffix}").write_bytes(good.read_bytes()[:cut])
    codec = Pictures("file", folder=str(tmp_path)).fit([{"file": f"good.{suffix}"}])
    records = [{"file": f"good.{suffix}"}, {"file": f"bad.{suffix}"}]
    for use in (codec.encode, Pictures("file", folder=str(tmp_path)).fit):
        with pytest.raises(DataError, match=rf"record 1: expected a picture that Pillow can read.*bad\.{suffix}"):
            use(records)


def test_missing_files_and_values_are_refused_with_their_record(tmp_path):
    with pytest.raises(DataError, match=r"record 0: expected a picture's file.*no such\.png"):
        seen(str(tmp_path / "no such.png"))
    with pytest.raises(DataError, match="record 0: expected a picture, received nothing"):
        seen(None)
    with pytest.raises(DataError, match="record 0: expected a picture"):
        seen(str(tmp_path))  # a folder


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((0, 4)), np.zeros(5), np.zeros((5, 4, 2)), np.zeros((2, 4, 4, 3)), np.full((4, 4), np.nan),
        np.full((4, 4), 1.5), np.full((4, 4), -1), np.full((4, 4), 256), 3, {"a": 1}, [[1, 2], [3]], [["a"]],
        np.array([[1j]]),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_picture_is_refused(value):
    with pytest.raises(DataError, match="column 'file', record 0: expected "):
        seen(value)


def test_illegal_options_are_refused():
    for options in ({"size": 0}, {"channels": 2}):
        with pytest.raises(OptionError, match=next(iter(options))):
            Pictures("file", **options).fit([{"file": GRADIENT}])


# ---- what is learnt ----------------------------------------------------------------------------------


def test_mean_and_deviation_are_those_of_all_pixels_by_channel():
    values = np.random.default_rng(1).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    codec = Pictures("file", 6).fit([{"file": value} for value in values])
    assert np.allclose(codec.mean_, values.mean((0, 1, 2)))
    assert np.allclose(codec.std_, values.std((0, 1, 2)))
    assert codec.spec.scaling == tuple(zip(codec.mean_, codec.std_, strict=True))


def test_pictures_of_one_shade_have_the_deviation_of_one_grey_level():
    assert Pictures("file", 6, 1).fit([{"file": np.full((6, 6), 9, dtype=np.uint8)}]).std_ == [1.0]


def test_encoded_pictures_are_bytes():
    assert Pictures("file", 8).fit([{"file": GRADIENT}]).encode([{"file": GRADIENT}]).values.dtype == torch.uint8


# ---- numbers without a type -------------------------------------------------------------------------

CHECKS = (np.indices((4, 4)).sum(0) % 2 * 200).astype(np.uint8)


@pytest.mark.parametrize("given", [CHECKS.tolist(), CHECKS.astype(float).tolist(), (CHECKS / 255).tolist()])
def test_a_list_of_numbers_is_read_by_its_values(given):
    """Beside numbers with decimals a column of whole numbers is one of decimals, and means the same."""
    np.testing.assert_array_equal(pixels.read_picture(given, pixels.Canvas(4, 1))[0], CHECKS)


@pytest.mark.parametrize(("learnt", "white"), [([[0, 0.5]], 255), ([[0, 80]], 1), ([[0.0, 80.0]], 1)])
def test_a_list_of_nothing_but_zero_and_one_is_read_as_the_lists_of_training(learnt, white):
    codec = Pictures("p", size=2, channels=1).fit([{"p": learnt * 2}])
    again = Pictures.from_json(codec.to_json())
    for one in (codec, again):
        for shown in ([[0, 1], [0, 1]], [[0.0, 1.0], [0.0, 1.0]]):
            assert one.encode([{"p": shown}]).values.flatten().tolist() == [0, white, 0, white]


def test_an_array_with_its_channels_first_is_the_same_picture():
    colours = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    want = pixels.read_picture(colours, pixels.Canvas(5, 3))
    np.testing.assert_array_equal(pixels.read_picture(colours.transpose(2, 0, 1), pixels.Canvas(5, 3)), want)
