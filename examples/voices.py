"""Speaker recognition from recordings of several voices, tested on sentences that are not in training.

With --voices spoken, espeak-ng speaks in twelve voices, at random speed, pitch and loudness (the default if it is
installed); with --voices made, sounds are computed: a gliding pitch through the resonances of throats of eight lengths.

Run: python examples/voices.py [--seed 0] [--out voices.png] [--voices made] [--cell gru]
"""

import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from example import arguments, show

import unrolled as ur

RATE = 16000
VOWELS = np.array(
    [(700, 1200, 2600), (500, 1900, 2500), (300, 2300, 3000), (450, 800, 2600), (320, 800, 2300)]
)  # hertz
SPOKEN = [*(f"m{number}" for number in range(1, 8)), *(f"f{number}" for number in range(1, 6))]
MADE = [f"throat{length}" for length in range(14, 22)]  # centimetres
WORDS = (
    ["the old man", "my sister", "every student", "the train", "a captain", "some people", "two birds", "the weather"],
    ["never forgets", "is looking for", "remembers", "cannot find", "has bought", "wants to paint", "talks about"],
    ["a yellow boat", "the last letter", "seven chairs", "strange music", "an empty house", "hot chocolate"],
    ["this evening", "without a word", "before dinner", "on sunday", "again and again", "near the river", "as usual"],
)


def say(voice: str, sentence: Sequence[str], path: Path, rng: random.Random) -> None:
    """Record one sentence with espeak-ng."""
    numbers = {"-s": rng.randint(120, 220), "-p": rng.randint(25, 75), "-a": rng.randint(40, 160)}
    settings = [str(word) for pair in numbers.items() for word in pair]
    subprocess.run(["espeak-ng", "-v", f"en+{voice}", *settings, "-w", path, " ".join(sentence)], check=True)


def make(voice: str, sentence: Sequence[str], path: Path, rng: random.Random) -> None:
    """Return one vowel per part of the sentence: harmonics of a gliding pitch, filtered by the throat's resonances."""
    time = np.arange(0, rng.uniform(0.5, 0.9), 1 / RATE)
    pitch = rng.uniform(90, 180) * (1 + 0.15 * np.sin(2 * np.pi * rng.uniform(1, 3) * time + rng.uniform(0, 6)))
    which = [len(words) % len(VOWELS) for words in sentence]
    vowels = VOWELS[which][(len(which) * time / (time[-1] + 1 / RATE)).astype(int)]  # (T, 3)
    resonances = vowels * 17 / float(voice.removeprefix("throat"))
    sound = np.zeros_like(time)
    for harmonic in range(1, 40):
        loudness = (1 / (1 + ((harmonic * pitch[:, None] - resonances) / 100) ** 2)).sum(1)
        sound += loudness * np.sin(2 * np.pi * harmonic * np.cumsum(pitch) / RATE) / harmonic
    noise = np.random.default_rng(rng.randrange(10**9)).normal(0, 0.005, len(time))
    soundfile.write(path, rng.uniform(0.1, 0.9) * sound / abs(sound).max() + noise, RATE)


def record(folder: Path, voices: Sequence[str], speak: Callable[..., None], seed: int) -> tuple[ur.Table, ur.Table]:
    """Record 25 training sentences and 20 other test sentences of every voice."""
    rng = random.Random(seed)
    sentences = [[rng.choice(words) for words in WORDS] for _ in range(200)]
    different = [list(parts) for parts in dict.fromkeys(map(tuple, sentences))]
    for part, some in (("train", different[:25]), ("test", different[25:45])):
        for voice in voices:
            (folder / part / voice).mkdir(parents=True)
            for number, sentence in enumerate(some):
                speak(voice, sentence, folder / part / voice / f"{number}.wav", rng)
    return ur.read_folder(folder / "train"), ur.read_folder(folder / "test")


def main(seed: int, out: Path, voices: str | None = None, cell: str | None = None) -> float:
    """Record, train, test on other sentences, and draw the confusion matrix."""
    spoken = voices == "spoken"
    with TemporaryDirectory() as folder:
        train, test = record(Path(folder), SPOKEN if spoken else MADE, say if spoken else make, seed)
        model = ur.Classifier(ur.Audio("file"), "label", cell=cell or "lstm").fit(train, seed=seed)
        scores, guesses = model.evaluate(test), model.predict(test)
    print(scores)
    names = model.classes_.tolist()
    confusion = {name: np.zeros(len(names)).tolist() for name in names}
    for example, guess in zip(test, guesses, strict=True):
        confusion[example["label"]][names.index(guess)] += 1
    show(out, "True voice (rows) and predicted voice", heatmap=confusion, columns=names)
    return scores.model["accuracy"]


if __name__ == "__main__":
    given = arguments(__doc__, "voices.png", voices=str, cell=str)
    given["voices"] = given["voices"] or ("spoken" if shutil.which("espeak-ng") else "made")
    main(**given)
