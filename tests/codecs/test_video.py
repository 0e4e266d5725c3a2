"""Video: films of every kind become the same frames, no more is read than asked for, and bad films are named."""

import tracemalloc
from itertools import count
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from unrolled.codecs.media.film import FrameChoice
from unrolled.codecs.media.video import Video
from unrolled.errors import DataError, OptionError

SHADES = np.arange(10, 250, 20)
FILM = np.stack([np.full((16, 16, 3), shade, dtype=np.uint8) for shade in SHADES])  # (12, 16, 16, 3)


def write_film(path, frames, rate=10):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_folder(path, frames):
    path.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(path / f"frame_{number}.png")  # frame_10 sorts before frame_2 as text
    (path / "notes.txt").write_text("no picture")
    return path


def write_animation(path, frames, **options):
    first, *rest = [Image.fromarray(frame) for frame in frames]
    first.save(path, save_all=True, append_images=rest, duration=100, **options)
    return path


def frames_of(value, size=16, **options):
    """One encoded film, (T, C, S, S)."""
    codec = Video("clip", size, **options)._learn(mean_=[0.0] * 3, std_=[1.0] * 3)
    return codec.encode([{"clip": value}]).values.numpy()


def shades_of(value, **options):
    return frames_of(value, **options).mean((1, 2, 3))


def test_a_film_a_folder_an_animation_a_list_and_an_array_of_the_same_frames_encode_alike(tmp_path):
    folder = write_folder(tmp_path / "folder", FILM)
    exact = FILM.transpose(0, 3, 1, 2)
    paths = sorted(map(str, folder.glob("*.png")), key=lambda path: int(path.rsplit("_")[-1][:-4]))
    for value in (
        FILM, FILM.tolist(), list(FILM), FILM[..., 0], str(folder), folder, paths, [Image.fromarray(f) for f in FILM],
        write_animation(tmp_path / "a.gif", FILM), write_animation(tmp_path / "a.png", FILM),
        write_animation(tmp_path / "a.webp", FILM, lossless=True),
    ):  # fmt: skip
        assert np.array_equal(frames_of(value), exact)
    for suffix in ("mp4", "avi", "mkv"):
        assert np.allclose(shades_of(write_film(tmp_path / f"a.{suffix}", FILM)), SHADES, atol=4)


def test_relative_paths_start_at_the_folder(tmp_path):
    write_film(tmp_path / "a.mp4", FILM)
    assert len(frames_of("a.mp4", folder=str(tmp_path))) == len(FILM)


@pytest.mark.parametrize("every", [1, 2, 5, 100])
def test_each_so_manieth_frame_is_read_from_the_first(tmp_path, every):
    assert np.array_equal(shades_of(FILM, every=every), SHADES[::every])
    assert np.allclose(shades_of(write_film(tmp_path / "a.mp4", FILM), every=every), SHADES[::every], atol=4)


@pytest.mark.parametrize(("wanted", "every"), [(10, 1), (5, 2), (2.5, 4), (30, 1)])
def test_frames_of_each_second_are_chosen_by_the_clock(tmp_path, wanted, every):
    for path in (write_film(tmp_path / "a.mp4", FILM, rate=10), write_animation(tmp_path / "a.gif", FILM)):
        assert np.allclose(shades_of(path, frames_per_second=wanted), SHADES[::every], atol=4)


def test_no_more_is_read_than_the_most_frames_wanted():
    read = count()
    frames = ((next(read), 0.0) for _ in range(1000))
    assert list(FrameChoice(every=3, most=4).choose(frames)) == [0, 3, 6, 9]
    assert next(read) == 10
    assert len(frames_of(FILM, max_frames=5)) == 5


def test_a_long_film_needs_no_more_memory_than_its_chosen_frames(tmp_path):
    long = write_film(tmp_path / "long.mp4", np.zeros((400, 64, 64, 3), dtype=np.uint8))
    codec = Video("clip", 16, every=10).fit([{"clip": FILM}])
    codec.encode([{"clip": FILM}])
    tracemalloc.start()
    assert len(codec.encode([{"clip": long}]).values) == 40
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 64 * 64  # a byte a pixel would be a third of the film


def test_a_film_that_lies_on_its_side_is_turned_upright(tmp_path, monkeypatch):
    upright = np.zeros((8, 16, 3), dtype=np.uint8)
    upright[:, 8:] = 255  # bright on the right
    path = write_film(tmp_path / "a.mp4", upright[None])
    real = av.open

    def turned(*arguments, **options):
        container = real(*arguments, **options)

        def decode(stream):
            for frame in container.decode(stream):
                yield SimpleNamespace(width=16, height=8, time=0.0, rotation=90, to_image=frame.to_image)

        class Wrapped:
            streams = container.streams

            def __enter__(self):
                self.decode = decode
                return self

            def __exit__(self, *fault):
                container.close()

        return Wrapped()

    monkeypatch.setattr(av, "open", turned)
    frame = frames_of(str(path))[0, 0]  # FFmpeg's angles go counterclockwise: what was right is now above
    assert frame[:8, 4:12].mean() > 230
    assert frame[8:, 4:12].mean() < 25


def test_films_without_a_frame_are_sequences_without_a_step(tmp_path):
    (tmp_path / "empty").mkdir()
    for value in (None, [], FILM[:0], np.empty((0,)), str(tmp_path / "empty")):
        assert frames_of(value).shape == (0, 3, 16, 16)


def test_the_mean_and_deviation_are_those_of_all_frames():
    codec = Video("clip", 16).fit([{"clip": FILM[:3]}, {"clip": FILM[3:]}, {"clip": None}])
    assert np.allclose(codec.mean_, SHADES.mean())
    assert np.allclose(codec.std_, SHADES.std())


# ---- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mp4", "avi", "gif"])
@pytest.mark.parametrize("cut", [0, 20, 60])
def test_a_damaged_film_is_named_with_its_record(tmp_path, suffix, cut):
    write = write_animation if suffix == "gif" else write_film
    whole = write(tmp_path / f"good.{suffix}", FILM).read_bytes()
    (tmp_path / f"bad.{suffix}").write_bytes(whole[:cut])
    codec = Video("clip", folder=str(tmp_path)).fit([{"clip": f"good.{suffix}"}])
    with pytest.raises(DataError, match=rf"column 'clip', record 1: expected a .* can read.*bad\.{suffix}"):
        codec.encode([{"clip": f"good.{suffix}"}, {"clip": f"bad.{suffix}"}])


def test_a_file_of_anything_else_is_no_film(tmp_path):
    (tmp_path / "words.mp4").write_text("no film at all")
    with pytest.raises(DataError, match=r"record 0: expected a film that PyAV can read.*words\.mp4"):
        frames_of(tmp_path / "words.mp4")


def test_a_damaged_picture_in_a_folder_is_named(tmp_path):
    write_folder(tmp_path / "folder", FILM)
    (tmp_path / "folder" / "frame_3.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"record 0.*frame_3\.png"):
        frames_of(tmp_path / "folder")


def test_a_missing_film_file_is_named(tmp_path):
    for name in ("none.mp4", "none", "none.gif"):
        with pytest.raises(DataError, match=f"record 0: expected .*{name}, which does not exist"):
            frames_of(tmp_path / name)


@pytest.mark.parametrize("value", [3, np.zeros(4), np.zeros((4, 4)), [[1, 2], [3]], np.full((2, 4, 4), 7.0)], ids=str)
def test_what_is_no_film_is_refused(value):
    with pytest.raises(DataError, match="column 'clip', record 0: expected "):
        frames_of(value)


def test_frames_without_a_clock_are_not_chosen_by_it():
    with pytest.raises(DataError, match="use every="):
        Video("clip", frames_per_second=2).fit([{"clip": FILM}])


@pytest.mark.parametrize(
    "options",
    [{"every": 0}, {"max_frames": 0}, {"frames_per_second": 0}, {"frames_per_second": 5, "every": 2}, {"size": 0}],
    ids=str,
)
def test_illegal_options_are_refused(options):
    with pytest.raises(OptionError, match=next(iter(options))):
        Video("clip", **options).fit([{"clip": FILM}])


def test_nothing_but_empty_films_is_refused():
    with pytest.raises(DataError, match="at least one film with a frame"):
        Video("clip").fit([{"clip": None}, {"clip": []}])
