"""David is good at math but is bad in science: word order matters, so a bag of words fails and an LSTM does not.

Every sentence occurs twice with the judgements swapped, so both have the same bag of words. The names and
subjects of the test sentences never occur in training.

Run: python examples/david.py [--seed 0] [--out david.png]
"""

from itertools import product
from pathlib import Path

from example import arguments, show

import unrolled as ur

NAMES = ["David", "Anna", "Omar", "Mei", "Lucas", "Priya", "Tom", "Sara", "Ivan", "Nina", "Paul", "Aiko"]
SUBJECTS = [
    "math",
    "science",
    "music",
    "history",
    "chess",
    "drawing",
    "physics",
    "cooking",
    "rowing",
    "poetry",
    "algebra",
    "dancing",
]
JUDGEMENTS = [("good", "bad"), ("great", "poor"), ("strong", "weak"), ("excellent", "terrible")]
TEMPLATES = [
    "{name} is {one} at {first} but is {two} in {second}",
    "although {name} is {one} at {first} , {name} is {two} at {second}",
    "at {first} {name} is {one} , in {second} rather {two}",
]


def make(names: list[str], subjects: list[str]) -> list[dict[str, str]]:
    """Return pairs of sentences with equal words; the label is the judgement of the first subject."""
    records = []
    for name, first, second, (good, bad), template in product(names, subjects, subjects, JUDGEMENTS, TEMPLATES):
        if first != second:
            for label, one, two in (("good", good, bad), ("bad", bad, good)):
                text = template.format(name=name, first=first, second=second, one=one, two=two)
                records.append({"text": text, "first subject": label})
    return records


def main(seed: int, out: Path) -> float:
    """Train on eight names and eight subjects, test on the other four of each."""
    model = ur.Classifier(ur.Words("text", embedding_size=16), "first subject", hidden_size=32)
    model.fit(make(NAMES[:8], SUBJECTS[:8]), epochs=2, seed=seed)
    scores = model.evaluate(make(NAMES[8:], SUBJECTS[8:]))
    print(scores)
    accuracy = {"unrolled": scores.model["accuracy"]}
    accuracy |= {name: values["accuracy"] for name, values in scores.baselines.items()}
    show(out, "Which subject is David good at? (new names, new subjects)", bars=accuracy, x="accuracy")
    return scores.model["accuracy"]


if __name__ == "__main__":
    main(**arguments(__doc__, "david.png"))
