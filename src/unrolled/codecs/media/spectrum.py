"""Mel spectrograms: the loudness of each band of pitch, frame by frame, on a logarithmic scale."""

import math
from functools import cache

import torch
from torch import Tensor

WINDOW_SECONDS = 0.025
HOP_SECONDS = 0.010
RANGE = 80.0  # decibels; everything further below the loudest band of a recording counts as silence
SILENCE = 1e-10  # minimum power
_LINEAR = 200 / 3  # hertz per mel, below _KNEE
_KNEE = 1000.0  # hertz; above, the scale is logarithmic:
_LOG_STEP = math.log(6.4) / 27


def log_mel(samples: Tensor, sample_rate: int, num_mels: int) -> Tensor:
    """Return the logarithm of the power in every mel band, (N, F), per 10 ms of a recording (T,).

    Hann windows of 25 ms; a shorter recording is padded with silence. Its mean is subtracted first. Values
    more than 80 dB below the loudest one are raised to that level, as in Whisper (Radford et al. 2022, Robust Speech
    Recognition via Large-Scale Weak Supervision, section 2.2, and its code), so that digital silence is no outlier.

    Args:
        samples: the recording, float, (T,).
        sample_rate: samples per second.
        num_mels: number of bands, F.

    Example:
        >>> tone = torch.sin(2 * math.pi * 440 * torch.arange(1600) / 16000)
        >>> spectrum = log_mel(tone, 16000, 40)
        >>> spectrum.shape, spectrum.mean(0).argmax().item()
        (torch.Size([8, 40]), 5)
    """
    if not len(samples):
        return samples.new_zeros(0, num_mels)
    window, hop = round(WINDOW_SECONDS * sample_rate), round(HOP_SECONDS * sample_rate)
    filters = mel_filters(sample_rate, num_mels).to(samples.dtype)  # (n_fft / 2 + 1, F)
    size = 2 * (len(filters) - 1)
    spare = size - window  # torch puts the window into the middle of what it transforms
    centred = samples - samples.mean()
    filled = torch.nn.functional.pad(centred, (spare // 2, spare - spare // 2 + max(0, window - len(samples))))
    hann = torch.hann_window(window, dtype=samples.dtype)
    waves = torch.stft(filled, size, hop, window, hann, center=False, return_complex=True)  # (n_fft / 2 + 1, N)
    power = (waves.real**2 + waves.imag**2).T @ filters  # (N, F)
    logs = power.clamp(min=SILENCE).log()
    return logs.clamp(min=float(logs.max()) - RANGE * math.log(10) / 10)


@cache
def mel_filters(sample_rate: int, num_mels: int) -> Tensor:
    """Return triangles of height 1, evenly spaced in mel from 0 Hz to half the rate: (n_fft / 2 + 1, F), float64.

    The scale is that of Slaney 1998, Auditory Toolbox (Interval Research, report 1998-010): linear to 1000 Hz and
    logarithmic above. n_fft is the smallest power of two that holds a window and leaves no triangle without a bin.

    Args:
        sample_rate: samples per second.
        num_mels: number of triangles, F.
    """
    top = mel_of(sample_rate / 2)
    edges = torch.tensor([hertz_of(top * place / (num_mels + 1)) for place in range(num_mels + 2)], dtype=torch.float64)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]  # (F,) each
    size = 1 << (round(WINDOW_SECONDS * sample_rate) - 1).bit_length()
    while True:
        hertz = torch.linspace(0, sample_rate / 2, size // 2 + 1, dtype=torch.float64)[:, None]  # (n_fft / 2 + 1, 1)
        rising, falling = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
        filters = torch.minimum(rising, falling).clamp(min=0)
        if bool((filters.sum(0) > 0).all()):
            return filters
        size *= 2


def mel_of(hertz: float) -> float:
    """Convert hertz to mels, on Slaney's scale.

    Example:
        >>> round(mel_of(1000.0), 6), round(mel_of(6400.0), 6)
        (15.0, 42.0)
    """
    return hertz / _LINEAR if hertz < _KNEE else _KNEE / _LINEAR + math.log(hertz / _KNEE) / _LOG_STEP


def hertz_of(mel: float) -> float:
    """Convert mels to hertz, the inverse of `mel_of`."""
    knee = _KNEE / _LINEAR
    return mel * _LINEAR if mel < knee else _KNEE * math.exp(_LOG_STEP * (mel - knee))


def stack_frames(frames: Tensor, count: int) -> Tensor:
    """Join every `count` frames to one step: (N, F) to (ceil(N / count), count * F); the last frame is repeated.

    Source: Sak et al. 2015, Fast and Accurate Recurrent Neural Network Acoustic Models, section 3.

    Example:
        >>> stack_frames(torch.tensor([[1.0], [2.0], [3.0]]), 2).tolist()
        [[1.0, 2.0], [3.0, 3.0]]
    """
    missing = -len(frames) % count
    if missing:
        frames = torch.cat([frames, frames[-1:].expand(missing, -1)])
    return frames.reshape(-1, count * frames.shape[1])
