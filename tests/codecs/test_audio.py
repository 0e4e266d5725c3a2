"""Audio: spectrograms as NumPy computes them in float64, statistics in one pass, and illegal options."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sounds import RATE, tone, voice
from unrolled.codecs.infer import infer_codecs
from unrolled.codecs.media.audio import Audio
from unrolled.codecs.media.spectrum import log_mel, mel_filters, stack_frames
from unrolled.errors import DataError, OptionError
from unrolled.reading_report import Tally, counted


def oracle(samples: np.ndarray, rate: int, bands: int, size: int) -> np.ndarray:
    """The same in plain loops, float64."""
    window, hop = round(0.025 * rate), round(0.010 * rate)
    samples = samples - samples.mean()
    samples = np.pad(samples, (0, max(0, window - len(samples))))
    top = mel(rate / 2)
    edges = [hertz(top * place / (bands + 1)) for place in range(bands + 2)]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    rows = []
    for start in range(0, len(samples) - window + 1, hop):
        power = np.abs(np.fft.rfft(samples[start : start + window] * hann, size)) ** 2
        row = []
        for left, centre, right in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
            total = 0.0
            for place, value in enumerate(power):
                f = place * rate / size
                if left < f < right:
                    total += value * ((f - left) / (centre - left) if f <= centre else (right - f) / (right - centre))
            row.append(math.log(max(total, 1e-10)))
        rows.append(row)
    logs = np.array(rows)
    return np.maximum(logs, logs.max() - 8 * math.log(10))


def mel(f: float) -> float:
    return 3 * f / 200 if f < 1000 else 15 + 27 * math.log(f / 1000) / math.log(6.4)


def hertz(m: float) -> float:
    return 200 * m / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27)


@pytest.mark.parametrize(
    ("rate", "bands", "size"), [(16000, 40, 512), (16000, 80, 512), (8000, 23, 256), (11025, 40, 512)]
)
def test_a_spectrogram_is_that_of_an_independent_computation(rate: int, bands: int, size: int) -> None:
    sound = voice(2, np.random.default_rng(0), 0.1, rate)
    expected = oracle(sound, rate, bands, size)
    assert mel_filters(rate, bands).shape == (size // 2 + 1, bands)
    found = log_mel(torch.from_numpy(sound), rate, bands)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(log_mel(torch.from_numpy(sound).float(), rate, bands), expected, atol=2e-2)


@given(st.integers(1, 1500))
def test_there_is_a_frame_for_every_ten_milliseconds_that_a_window_fits(size: int) -> None:
    assert log_mel(torch.randn(size), RATE, 8).shape == (1 + max(0, size - 400) // 160, 8)


def test_louder_is_only_higher() -> None:
    sound = torch.from_numpy(voice(1, np.random.default_rng(0)))
    apart = log_mel(4 * sound, RATE, 40) - log_mel(sound, RATE, 40)
    assert torch.allclose(apart, torch.full_like(apart, math.log(16)), atol=1e-6)


def test_a_constant_offset_is_no_sound() -> None:
    sound = torch.from_numpy(voice(1, np.random.default_rng(0)))
    assert torch.allclose(log_mel(sound + 0.3, RATE, 40), log_mel(sound, RATE, 40), atol=1e-6)


def test_silence_is_finite_and_of_one_level() -> None:
    assert log_mel(torch.zeros(1600), RATE, 40).unique().tolist() == pytest.approx([math.log(1e-10)])
    codec = Audio("x").fit([{"x": np.zeros(1600)}])
    assert codec.encode([{"x": np.zeros(1600)}]).values.unique().tolist() == [0.0]
    assert torch.isfinite(codec.encode([{"x": tone(440)}]).values).all()


def test_a_rising_tone_rises_through_the_bands() -> None:
    bands = [
        log_mel(torch.from_numpy(tone(hertz)), RATE, 40).mean(0).argmax().item() for hertz in range(100, 7900, 100)
    ]
    assert bands == sorted(bands)
    assert bands[0] <= 1
    assert bands[-1] >= 38


@given(st.integers(0, 9), st.integers(1, 4))
def test_stacked_frames_keep_every_frame_in_order(frames: int, count: int) -> None:
    values = torch.arange(2.0 * frames).reshape(frames, 2)
    stacked = stack_frames(values, count)
    assert stacked.shape == (-(-frames // count), 2 * count)
    assert torch.equal(stacked.reshape(-1, 2)[:frames], values)


def test_what_is_learnt_is_the_mean_and_deviation_of_all_frames() -> None:
    rng = np.random.default_rng(0)
    records = [{"x": voice(speaker, rng, 0.05 + 0.1 * speaker)} for speaker in range(4)]
    codec = Audio("x", stack=1).fit(iter([*records, {"x": None}]))
    frames = torch.cat([log_mel(torch.from_numpy(r["x"]).float(), RATE, codec.num_mels) for r in records]).double()
    np.testing.assert_allclose(codec.mean_, frames.mean(0), rtol=1e-6)
    np.testing.assert_allclose(codec.std_, frames.std(0, correction=0), rtol=1e-6)
    encoded = codec.encode(records).values
    assert encoded.mean(0).abs().max() < 1e-4
    np.testing.assert_allclose(encoded.std(0, correction=0), np.ones(codec.num_mels), rtol=1e-3)


def test_decoding_gives_the_spectrogram() -> None:
    sound = tone(440, 0.3)
    codec = Audio("x", stack=1).fit([{"x": sound}, {"x": tone(880)}])
    (decoded,) = codec.decode(codec.encode([{"x": sound}]))
    expected = log_mel(torch.from_numpy(sound).float(), RATE, codec.num_mels)
    np.testing.assert_allclose(decoded, expected, atol=1e-3)


def test_a_cut_recording_is_counted() -> None:
    codec = Audio("x", max_seconds=0.2).fit([{"x": tone(440)}])
    encoded = codec.encode([{"x": tone(440)}, {"x": tone(440, 0.1)}, {"x": tone(440, 9)}])
    assert codec.report() == {"cut_off": 2}
    assert encoded.lengths[0] == encoded.lengths[2] > encoded.lengths[1]
    with counted(Tally(None, [codec])) as tally:
        codec.encode([{"x": tone(440)}, {"x": tone(440, 9)}])
    assert tally.report()["recordings cut off"] == 2


@pytest.mark.parametrize(
    "options",
    [
        {"sample_rate": 0},
        {"sample_rate": 16000.0},
        {"num_mels": 0},
        {"num_mels": 100_000},
        {"stack": 0},
        {"max_seconds": 0},
        {"max_seconds": math.nan},
        {"augment": -1},
    ],
    ids=str,
)
def test_an_illegal_option_is_named(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match=next(iter(options))):
        Audio("x", **options).fit([{"x": tone(440)}])  # type: ignore[arg-type]


def test_a_bad_recording_is_named_by_column_and_record() -> None:
    records = [{"x": tone(440)}, {"x": "nowhere.wav"}]
    for use in (Audio("x").fit, Audio("x").fit(records[:1]).encode):
        with pytest.raises(
            DataError, match=r"column 'x', record 1: expected a sound file, received nowhere.wav, which does not"
        ):
            use(records)


@pytest.mark.parametrize("names", [["a.wav", "b.wav"], ["deep/a.FLAC", "b.mp3", None], ["a.ogg"] * 50])
def test_names_of_sound_files_are_taken_for_recordings(names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unrolled.codecs.media.audio.read_sound", lambda *_: (tone(440).astype(np.float32), False))
    assert repr(infer_codecs([{"x": name, "y": 1} for name in names], "y")) == "[Audio('x')]"


def test_recordings_with_their_rate_are_taken_for_recordings_and_other_text_is_not() -> None:
    record = {"x": {"array": tone(440).tolist(), "sampling_rate": 8000}}
    assert repr(infer_codecs([record])) == "[Audio('x')]"
    assert "Audio" not in repr(infer_codecs([{"x": "a.wav"}, {"x": "he heard a dog"}]))
