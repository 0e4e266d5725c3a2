"""Character language model of English prose: Python's own manual, which is part of every Python.

Run: python examples/characters.py [--seed 0] [--out characters.png]
"""

import pydoc_data.topics
from pathlib import Path

from example import arguments, show

import unrolled as ur


def main(seed: int, out: Path, minutes: float | None = None, epochs: int = 0) -> float:
    """Train for some minutes, or epochs, on nine tenths of the manual, compare with n-grams on the rest, and write."""
    text = "\n".join(pydoc_data.topics.topics.values())
    cut = int(len(text) * 0.9)
    budget = {"epochs": epochs} if epochs else {"minutes": minutes or 1}
    model = ur.LanguageModel(hidden_size=256).fit(text[:cut], seed=seed, **budget)
    scores = model.evaluate(text[cut:])
    print(scores)
    print("\nIt writes:\n" + model.generate("The import statement", length=300, temperature=0.6, seed=seed))
    nats = {"unrolled": scores.model[scores.leading]}
    nats |= {name: values[scores.leading] for name, values in scores.baselines.items()}
    show(out, "Nats per character on test pages of the manual (lower is better)", bars=nats)
    return scores.model[scores.leading]


if __name__ == "__main__":
    main(**arguments(__doc__, "characters.png", minutes=float))
