"""Three tasks on real data: train a model, compare it with baselines, save it and use it.

1. A CSV of Seattle's weather: the next seven days' temperatures, with an 80 % band.
2. Python's own manual: a character language model that generates text.
3. Handwritten digits, read row by row as sequences: classification.

The data are part of the packages vega_datasets, scikit-learn and Python itself; nothing is downloaded.

Run: python examples/demo.py [--seed 0] [--out examples/out]
"""

import pydoc_data.topics
import time
from pathlib import Path

from example import arguments, panels
from sklearn.datasets import load_digits
from vega_datasets import data

import unrolled as ur


def weather(seed: int, out: Path) -> dict:
    """Forecast the maximum temperature; test on the last year by rolling back-test."""
    past, recent = ur.read_csv(data.seattle_weather.filepath, time="date").split_at("2015-01-01")
    model = ur.Forecaster(target="temp_max", horizon=7, quantiles=[0.1, 0.5, 0.9]).fit(past, seed=seed)
    print(model.evaluate(recent))
    model.save(out / "weather-model")
    known = recent.select(range(len(recent) - 7))
    ahead = ur.load(out / "weather-model").predict(known)
    measured = recent.frame["temp_max"].to_list()[-45:]
    return {
        "title": "Weather: seven days ahead",
        "lines": {"measured": (range(-45, 0), measured), "forecast": (range(-7, 0), ahead["q0.5"].to_list())},
        "band": (range(-7, 0), ahead["q0.1"].to_list(), ahead["q0.9"].to_list()),
        "x": "days before the end of the data",
        "y": "degrees C",
    }


def manual(seed: int, out: Path) -> dict:
    """Train on the characters of nine tenths of the manual for 45 seconds; score the rest and generate text."""
    text = "\n".join(pydoc_data.topics.topics.values())
    cut = int(len(text) * 0.9)
    model = ur.LanguageModel(hidden_size=256).fit(text[:cut], minutes=0.75, seed=seed)
    scores = model.evaluate(text[cut:])
    print(scores)
    model.save(out / "manual-model")
    print("\nIt writes: " + " ".join(model.generate("The import", length=160, temperature=0.5, seed=seed).split()))
    return _bars("Python's manual: nats per character (lower is better)", scores)


def digits(seed: int, out: Path) -> dict:
    """Read 8 x 8 pictures as 8 rows of 8 pixels; test on a fifth of them."""
    pictures, labels = load_digits(return_X_y=True)
    train, test = ur.as_source(pictures.reshape(-1, 8, 8) / 16, labels).split(test=0.2, seed=seed, stratify="y")
    model = ur.Classifier(target="y").fit(train, epochs=20, seed=seed)
    scores = model.evaluate(test)
    print(scores)
    model.save(out / "digits-model")
    return _bars("Digits, read row by row: accuracy", scores)


def _bars(title: str, scores: ur.Scores) -> dict:
    rows = {"unrolled": scores.model, **scores.baselines}
    return {"title": title, "bars": {name: values[scores.leading] for name, values in rows.items()}}


def main(seed: int, out: Path) -> None:
    """Run the three tasks, draw their results, and print what to try next."""
    out.mkdir(parents=True, exist_ok=True)
    start, drawn = time.perf_counter(), []
    for number, job in enumerate((weather, manual, digits), 1):
        print(f"\n{number}. {(job.__doc__ or '').splitlines()[0]}", flush=True)
        drawn.append(job(seed, out))
    panels(out / "demo.png", drawn)
    print(f"\nDone in {time.perf_counter() - start:.0f} s. Try next:")
    print(f"  .venv/bin/unrolled generate {out}/manual-model --prompt 'The import' --length 300")
    print(f"  .venv/bin/unrolled serve {out}/manual-model    # then watch it generate text at http://127.0.0.1:8000")
    print(f"  .venv/bin/unrolled info {out}/weather-model")
    print(f"  .venv/bin/unrolled lecture --out {out}/lecture")
    print("  .venv/bin/unrolled fit classify YOUR.csv --text COLUMN --label COLUMN --out my-model")


if __name__ == "__main__":
    main(**arguments(__doc__, "examples/out"))
