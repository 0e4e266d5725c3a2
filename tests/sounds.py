"""Sounds made by arithmetic: tones, sweeps, and voices with a pitch and the resonances of a throat."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
FORMANTS = ((600, 1100, 2500), (350, 2000, 2900), (300, 800, 2300))  # of three open mouths, in hertz


def tone(hertz: float, seconds: float = 0.3, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)


def voice(speaker: int, rng: np.random.Generator, seconds: float = 0.4, rate: int = RATE) -> np.ndarray:
    """A few vowels in a row: harmonics of a gliding pitch, through resonances that a speaker's throat has shifted."""
    length = 0.85 + 0.1 * speaker  # of the throat
    time = np.arange(int(seconds * rate)) / rate
    pitch = rng.uniform(90, 140) * (1 + 0.2 * np.sin(2 * np.pi * rng.uniform(1, 3) * time + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    vowels = rng.permutation(len(FORMANTS))[np.minimum((time / seconds * 3).astype(int), 2)]
    centres = np.array(FORMANTS)[vowels] / length  # (T, 3)
    sound = np.zeros_like(time)
    for harmonic in range(1, 30):
        loudness = (1 / (1 + ((harmonic * pitch[:, None] - centres) / 120) ** 2)).sum(1)
        sound += loudness * np.sin(harmonic * phase) / harmonic
    return rng.uniform(0.1, 0.9) * sound / np.abs(sound).max() + rng.normal(0, 0.003, len(time))


def write(path: Path, samples: np.ndarray, rate: int = RATE, **options: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **options)
    return str(path)


def write_voices(folder: Path, speakers: int, each: int, seed: int = 0) -> Path:
    """A subfolder for each speaker, with so many recordings."""
    rng = np.random.default_rng(seed)
    for speaker in range(speakers):
        for number in range(each):
            write(folder / f"speaker{speaker}" / f"{number}.wav", voice(speaker, rng))
    return folder
