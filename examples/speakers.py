"""Speaker recognition from sequences of cepstral coefficients, as in the JapaneseVowels data set of nine speakers.

With --data FOLDER the real files JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts are read from there; without it,
voices are generated: each speaker has their own resonance in every channel, and utterances differ in length.

Run: python examples/speakers.py [--seed 0] [--out speakers.png] [--data FOLDER]
"""

from pathlib import Path

import numpy as np
from example import arguments, show

import unrolled as ur

SPEAKERS, CHANNELS = 9, 12


def make(count: int, seed: int) -> list[dict[str, object]]:
    """Return utterances of 7 to 29 steps: damped oscillations at the speaker's frequencies, random level and phase."""
    voices = np.random.default_rng(0).uniform(0.15, 0.6, (SPEAKERS, CHANNELS))
    rng = np.random.default_rng(seed)
    records: list[dict[str, object]] = []
    for _ in range(count):
        speaker, time = int(rng.integers(SPEAKERS)), np.arange(rng.integers(7, 30))[:, None]
        waves = np.sin(2 * np.pi * (voices[speaker] * time + rng.random(CHANNELS)))
        sound = waves * rng.uniform(0.5, 2, CHANNELS) + rng.normal(0, 0.5, waves.shape)
        record = {f"dim_{channel}": sound[:, channel].tolist() for channel in range(CHANNELS)}
        records.append({**record, "label": str(speaker + 1)})
    return records


def main(seed: int, out: Path, data: Path | None = None) -> float:
    """Train, test on other utterances, and draw the confusion matrix."""
    if data:
        train, test = (ur.read_ts(data / f"JapaneseVowels_{part}.ts") for part in ("TRAIN", "TEST"))
    else:
        train, test = (ur.as_source(make(size, seed + part)) for part, size in enumerate((1000, 400)))
    model = ur.Classifier(target="label").fit(train, epochs=40, seed=seed)
    scores = model.evaluate(test)
    print(scores)
    truth = [record["label"] for record in test]
    confusion = {str(name): np.zeros(len(model.classes_)).tolist() for name in model.classes_}
    for true, guess in zip(truth, model.predict(test), strict=True):
        confusion[str(true)][model.classes_.tolist().index(guess)] += 1
    show(out, "True speaker (rows) and predicted speaker", heatmap=confusion, columns=list(model.classes_))
    return scores.model["accuracy"]


if __name__ == "__main__":
    main(**arguments(__doc__, "speakers.png", data=Path))
