"""Files that are not what their names say: only the documented kinds are read, and nothing that a file names."""

import gzip
import os
import struct
import zlib

import av
import numpy as np
import pytest
import soundfile
from PIL import Image, features

import sounds
from audit import heard
from unrolled.codecs.media import film, pixels
from unrolled.codecs.media.audio import Audio
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.media.pixels import FORMATS
from unrolled.codecs.media.video import Video
from unrolled.data import files, sound
from unrolled.errors import DataError

POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n0 0 8 8 rectfill showpage\n"
BITMAP = b"P6 1 1 255\n\0\0\0"
PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n"
LISTED = "ffconcat version 1.0\nfile {}\n"
DASH = "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011' type='static'><BaseURL>{}</BaseURL></MPD>"
SESSION = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns={}\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n"


@pytest.fixture
def clip(tmp_path):
    """A film that plays."""
    path = tmp_path / "secret.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for shade in (0, 90, 180):
            pictured = av.VideoFrame.from_ndarray(np.full((16, 16, 3), shade, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(pictured))
        container.mux(stream.encode())
    return path


def refused(codec, path, words="can read"):
    """The path is the only thing that is opened, no program is started, and the error is ours."""
    with heard() as events, pytest.raises(DataError, match=rf"column 'x', record 0: expected .*{words}"):
        codec.fit([{"x": str(path)}])
    opened = {argument for event, argument in events if event == "open"}
    assert opened <= {str(path)}
    assert not [event for event in events if event[0] in ("subprocess.Popen", "os.posix_spawn", "os.fork", "os.system")]


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.eps", "a"])
@pytest.mark.parametrize(
    "data",
    [POSTSCRIPT, b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, len(POSTSCRIPT), 0, 0, 0, 0) + POSTSCRIPT, BITMAP,
     b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'/>", b"%PDF-1.4\n", b"\xd7\xcd\xc6\x9a" + b"\0" * 80,
     b"II*\0\x08\0\0\0\0\0", gzip.compress(b"x" * 99), b"8BPS\0\1" + b"\0" * 60, b""],
    ids=["eps", "eps in a dos file", "ppm", "svg", "pdf", "wmf", "half a tiff", "gzip", "photoshop", "nothing"],
)  # fmt: skip
def test_a_picture_is_of_the_documented_kinds_whatever_its_name(tmp_path, name, data):
    pixels.pillow().init()  # as any other library in the process may have done
    (tmp_path / name).write_bytes(data)
    refused(Pictures("x"), tmp_path / name)
    if name.endswith((".png", ".gif")):
        refused(Video("x"), tmp_path / name)


def test_a_folder_of_pictures_gives_its_documented_pictures_alone(tmp_path):
    Image.fromarray(np.full((4, 4), 200, dtype=np.uint8)).save(tmp_path / "1.png")
    (tmp_path / "2.eps").write_bytes(POSTSCRIPT)
    assert Video("x", 4).fit([{"x": str(tmp_path)}]).encode([{"x": str(tmp_path)}]).lengths.tolist() == [1]
    (tmp_path / "3.png").write_bytes(POSTSCRIPT)
    with pytest.raises(DataError, match=r"3\.png"):
        Video("x", 4).fit([{"x": str(tmp_path)}])


@pytest.mark.parametrize("suffix", files.SUFFIXES["picture"])
def test_every_documented_kind_of_picture_is_read(tmp_path, suffix):
    if suffix == ".webp" and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    path = tmp_path / f"a{suffix}"
    Image.fromarray(np.full((4, 4, 3), 200, dtype=np.uint8)).save(path)
    assert Pictures("x", 4).fit([{"x": str(path)}]).mean_ == pytest.approx([200] * 3, abs=3)
    with Image.open(path) as image:
        assert image.format in FORMATS


@pytest.mark.parametrize("frames", [1, 3])
def test_a_picture_or_film_that_claims_too_many_pixels_costs_nothing(tmp_path, frames):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0))
    animated = chunk(b"acTL", struct.pack(">II", frames, 0)) * (frames > 1)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + animated + body + chunk(b"IEND", b""))
    for codec in (Pictures("x"), Video("x")):
        with pytest.raises(DataError, match="at most 64,000,000 pixels"):
            codec.fit([{"x": str(tmp_path / "bomb.png")}])


# ---- films --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.mp4", "a.m3u8", "a.ffconcat", "a.mpd", "a.sdp", "a"])
@pytest.mark.parametrize("text", [PLAYLIST, LISTED, DASH, SESSION, "{}"], ids=["hls", "concat", "dash", "sdp", "name"])
def test_a_list_of_films_opens_none_of_them(tmp_path, clip, name, text):
    (tmp_path / name).write_text(text.format(clip.name))
    refused(Video("x"), tmp_path / name)


def test_a_list_of_films_would_play_without_our_list_of_kinds(tmp_path, clip):
    (tmp_path / "a.mp4").write_text(LISTED.format(clip.name))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert container.format.name == "concat"
        assert len(list(container.decode(video=0))) == 3


def test_a_film_of_an_unknown_codec_is_an_error_of_ours(tmp_path, clip):
    data = clip.read_bytes()
    assert b"mp4v" in data and b"esds" in data  # noqa: PT018 - of one film
    (tmp_path / "a.mp4").write_bytes(data.replace(b"mp4v", b"zzzz").replace(b"esds", b"free"))
    refused(Video("x"), tmp_path / "a.mp4")


def test_a_film_of_sound_alone_is_an_error_of_ours(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())
    refused(Video("x"), path, "with pictures")


@pytest.mark.parametrize("cut", range(0, 90, 7))
def test_a_film_that_ends_too_early_is_an_error_of_ours(tmp_path, clip, cut):
    data = clip.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * cut // 100])
    with pytest.raises(DataError, match=r"record 0.*cut\.mp4"):
        Video("x").fit([{"x": str(tmp_path / "cut.mp4")}])


def test_a_film_of_too_many_pixels_is_refused(clip, monkeypatch):
    monkeypatch.setattr(film, "MAX_PIXELS", 99)
    monkeypatch.setattr(pixels, "MAX_PIXELS", 99)
    refused(Video("x"), clip, "at most 99 pixels")


@pytest.mark.parametrize("suffix", files.SUFFIXES["film"])
def test_every_documented_kind_of_film_is_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    codec = {".webm": "libvpx", ".mpg": "mpeg2video", ".mpeg": "mpeg2video"}.get(suffix, "mpeg4")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width = stream.height = 16
        stream.pix_fmt = "yuv420p"
        for _ in range(4):
            pictured = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 120, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(pictured))
        container.mux(stream.encode())
    assert Video("x", 4).fit([{"x": str(path)}]).mean_ == pytest.approx([120] * 3, abs=6)


# ---- recordings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", sorted(set(soundfile.available_formats()) - {"SD2"}))
def test_a_recording_is_of_the_documented_kinds_whatever_its_name(tmp_path, format):
    path = tmp_path / "a.wav"
    subtypes = soundfile.available_subtypes(format)
    subtype = next(name for name in ("PCM_16", "VORBIS", "MPEG_LAYER_III", *subtypes) if name in subtypes)
    try:
        soundfile.write(str(path), sounds.tone(440, 0.5), 16000, subtype=subtype, format=format)
    except soundfile.LibsndfileError:
        path.write_bytes(b"\0" * 999)
    if format in sound.FORMATS:
        assert len(Audio("x").fit([{"x": str(path)}]).encode([{"x": str(path)}]).values)
    else:
        refused(Audio("x"), path, "a sound file")


@pytest.mark.parametrize("name", ["a.raw", "a.wav", "a.sd2", "a"])
@pytest.mark.parametrize("data", [b"\0" * 999, b"RIFF", b"#EXTM3U\n", b"fLaC", b"OggS", b"ID3", b"FORM"], ids=repr)
def test_what_is_no_recording_is_an_error_of_ours(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    refused(Audio("x"), tmp_path / name, "a sound file")


# ---- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", [Pictures("x"), Video("x"), Audio("x")], ids=lambda codec: codec.name)
def test_names_of_what_is_no_file_are_errors_of_ours(tmp_path, codec):
    below = tmp_path / "file"
    below.touch()
    names = [str(tmp_path / "none"), str(below / "x"), os.devnull, "x" * 20_000, "a\0b", "\ud800"]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")  # to open it would wait for ever
        names.append(str(tmp_path / "pipe"))
    for name in names:
        with pytest.raises(DataError, match="column 'x', record 0: expected ") as caught:
            codec.fit([{"x": name}])
        assert len(str(caught.value)) < 600
