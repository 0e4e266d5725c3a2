"""Reading recordings: every form a user has, and every way in which one can be bad."""

import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from sounds import RATE, tone, write
from unrolled.data.file_access import Opening
from unrolled.data.sound import read_sound
from unrolled.errors import DataError, UnsupportedError


def read(value, rate=RATE, most=30.0):
    return read_sound(value, rate, most, "record 3", Opening(True))


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 0.01),
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-6),
        ("wav", "FLOAT", 1e-6),
        ("wav", "DOUBLE", 1e-6),
        ("wav", "ULAW", 0.03),
        ("flac", "PCM_16", 1e-4),
        ("flac", "PCM_24", 1e-6),
        ("ogg", "VORBIS", 0.1),
    ],
)
def test_every_kind_of_file_gives_its_samples(tmp_path: Path, suffix: str, subtype: str, tolerance: float) -> None:
    sound = tone(440)
    samples, cut = read(write(tmp_path / f"a.{suffix}", sound, subtype=subtype))
    assert samples.dtype == np.float32
    assert not cut
    assert len(samples) == len(sound)
    assert np.abs(samples - sound).max() < tolerance


def test_mp3_gives_the_tone_it_holds(tmp_path: Path) -> None:
    samples, _ = read(write(tmp_path / "a.mp3", tone(440, 1.0)))
    assert np.abs(np.fft.rfft(samples[:RATE])).argmax() == pytest.approx(440, abs=2)


@pytest.mark.parametrize("channels", [1, 2, 5, 8])
def test_channels_are_averaged(tmp_path: Path, channels: int) -> None:
    sound = np.stack([tone(440) * (place + 1) / channels for place in range(channels)], 1)
    for value in (write(tmp_path / "a.wav", sound, subtype="FLOAT"), sound):
        np.testing.assert_allclose(read(value)[0], sound.mean(1), atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 7919])
def test_another_rate_keeps_pitch_and_length(tmp_path: Path, rate: int) -> None:
    sound = tone(440, 1.0, rate)
    for value in (write(tmp_path / "a.wav", sound, rate), (sound, rate), {"array": sound, "sampling_rate": rate}):
        samples, _ = read(value)
        assert abs(len(samples) - RATE) <= 1
        assert np.abs(np.fft.rfft(samples, RATE)).argmax() == 440
        np.testing.assert_allclose(samples[500:-500], tone(440, 1.0)[: len(samples)][500:-500], atol=0.01)


@given(st.integers(1, 6000), st.sampled_from([1.0, 8000, 16000, 22050, 44100.0]))
def test_any_length_at_any_rate_is_read(size: int, rate: float) -> None:
    samples, cut = read((np.ones(size), rate), most=1.0)
    used = min(size, max(1, round(rate)))
    assert abs(len(samples) - used * RATE / rate) <= 1 + RATE / rate
    assert np.isfinite(samples).all()
    assert cut == (size > max(1, round(rate)))


@pytest.mark.parametrize(
    ("given_samples", "expected"),
    [
        (np.array([0, 16384, -32768], dtype=np.int16), [0, 0.5, -1]),
        ([0, 16384, -32768], [0, 0.5, -1]),
        (np.array([0, 1 << 30, -(1 << 31)], dtype=np.int32), [0, 0.5, -1]),
        (np.array([128, 192, 0], dtype=np.uint8), [0, 0.5, -1]),
        ([0.0, 0.5, -1.0], [0, 0.5, -1]),
        ([[0.0, 1.0], [-1.0, 0.0]], [0.5, -0.5]),
    ],
)
def test_samples_in_memory_are_scaled_by_their_type(given_samples, expected) -> None:
    assert read(given_samples)[0].tolist() == expected


@pytest.mark.parametrize("value", [None, "", [], np.zeros(0), np.zeros((0, 2)), ([], 8000)])
def test_a_recording_of_no_length_is_legal(value) -> None:
    samples, cut = read(value)
    assert samples.shape == (0,)
    assert not cut


def test_a_file_of_no_length_is_legal(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.wav", np.zeros(0)))[0].shape == (0,)


def test_what_is_too_long_is_cut_and_said(tmp_path: Path) -> None:
    sound = tone(440, 2.0)
    for value in (write(tmp_path / "a.flac", sound), sound):
        samples, cut = read(value, most=0.5)
        assert len(samples) == RATE // 2
        assert cut
    assert not read(sound, most=2.0)[1]
    assert not read(write(tmp_path / "b.wav", sound), most=2.0)[1]


def test_a_file_of_ten_hours_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.flac"
    silence = np.zeros((60 * 8000, 1), dtype=np.int16)
    with soundfile.SoundFile(path, "w", 8000, 1) as file:
        for _ in range(600):
            file.write(silence)
    before = psutil.Process().memory_info().rss
    samples, cut = read(str(path), 8000)
    assert psutil.Process().memory_info().rss - before < 60e6  # the whole of it would be 1.2 GB
    assert len(samples) == 30 * 8000
    assert cut


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_samples_that_are_no_numbers_are_refused(tmp_path: Path, bad: float) -> None:
    sound = tone(440)
    sound[7] = bad
    for value in (sound, write(tmp_path / "a.wav", sound, subtype="FLOAT")):
        with pytest.raises(DataError, match=r"record 3.*: expected finite samples, received NaN or infinity"):
            read(value)


def test_a_bad_file_is_named_with_its_record(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("this is no sound")
    (tmp_path / "empty.wav").touch()
    whole = Path(write(tmp_path / "whole.flac", tone(440))).read_bytes()
    (tmp_path / "head.flac").write_bytes(b"fLaC" + whole[200:])
    for name, shown in (
        ("text.wav", "of another kind"),
        ("empty.wav", "empty"),
        ("head.flac", ""),
        ("nowhere.wav", "does not exist"),
        (".", "no file"),
    ):
        with pytest.raises(DataError, match=rf"record 3: expected a sound file.*{shown}") as caught:
            read(str(tmp_path / name))
        assert str(tmp_path / name) in str(caught.value)


def test_a_cut_off_file_never_fails_otherwise_than_by_its_name(tmp_path: Path) -> None:
    for suffix in ("wav", "flac", "ogg", "mp3"):
        whole = Path(write(tmp_path / f"whole.{suffix}", tone(440))).read_bytes()
        for share in (0.02, 0.3, 0.9):
            path = tmp_path / f"part.{suffix}"
            path.write_bytes(whole[: int(len(whole) * share)])
            problem = ""
            try:
                assert np.isfinite(read(str(path))[0]).all()
            except DataError as fault:
                problem = str(fault)
            assert not problem or str(path) in problem


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3.5, "expected a path, or samples"),
        (["a", "b"], "expected a path, or samples"),
        ([[1.0], [1.0, 2.0]], "expected a path, or samples"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.zeros((2, 16000)), "received shape .*; transpose it"),
        (([0.5, 0.5], -1), "the rate -1"),
        ({"array": [0.5]}, "the rate None"),
        ({"path": "a"}, "the rate None"),
    ],
)
def test_what_is_no_recording_is_refused(value, shown: str) -> None:
    with pytest.raises(DataError, match=f"record 3.*{shown}"):
        read(value)


def test_a_library_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.wav", tone(440))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setitem(sys.modules, "soxr", None)
    for value, name in ((path, "soundfile"), (([0.0] * 99, 8000), "soxr")):
        with pytest.raises(UnsupportedError, match=rf"needs {name}; pip install 'unrolled\[audio\]'"):
            read(value)
    assert len(read(tone(440))[0])  # samples at the right rate need neither
