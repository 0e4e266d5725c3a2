"""One case of every baseline: what it learns from and what it is asked, for the laws of baselines."""

from typing import Any

import numpy as np

from unrolled.baselines.base import Baseline
from unrolled.baselines.densities import GaussianFrames
from unrolled.baselines.forecasting import Forecast
from unrolled.baselines.frames import FrameRidge
from unrolled.baselines.histories import History
from unrolled.baselines.items import ItemBaseline
from unrolled.baselines.per_label import PerLabel
from unrolled.baselines.registry import BASELINES


class Case:
    """A baseline maker, what it learns from, and what it is asked."""

    def __init__(self, make: Any, inputs: list[Any], targets: list[Any], asked: list[Any], empty: Any) -> None:
        self.make, self.inputs, self.targets, self.asked, self.empty = make, inputs, targets, asked, empty

    def fitted(self, inputs: Any = None, targets: Any = None) -> Baseline:
        return self.make().fit(inputs or self.inputs, targets or self.targets)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def sentences(count: int) -> list[str]:
    draw = rng()
    words = ["good", "bad", "maths", "Grüße", "but", "日本", "42"]
    return [" ".join(draw.choice(words, draw.integers(1, 7))) for _ in range(count)]


def signals(count: int) -> list[list[float]]:
    draw = rng()
    return [(draw.normal(size=draw.integers(1, 9)) + number % 3).tolist() for number in range(count)]


def rolls(count: int, binary: bool) -> list[np.ndarray]:
    draw = rng()
    frames = [draw.normal(size=(draw.integers(2, 8), 3)) for _ in range(count)]
    return [(rows > 0.3).astype(float) for rows in frames] if binary else frames


TEXTS = [{"x": text} for text in sentences(40)]
DNA = [{"x": "".join(row)} for row in rng().choice(list("ACGT"), (40, 12))]
SPECTRA = [{"x": rng().normal(size=(1 + number % 5, 4)).astype(np.float32) + number % 3} for number in range(40)]
SERIES = [{"x": values} for values in signals(40)]
MIXED = [{**text, "values": row["x"], "age": len(row["x"]) / 2} for text, row in zip(TEXTS, SERIES, strict=True)]
THREE = [number % 3 for number in range(40)]
WORDS = [text.split() for text in sentences(40)]
TAGS = [["UP" if word[0].isupper() else "LOW" for word in row] for row in WORDS]
IDS = [rng().integers(0, 7, number % 9) for number in range(1, 40)]
WAVES = [np.arange(40.0) + 3 * np.sin(np.arange(40)) + number for number in range(6)]
HISTORIES = [History(wave, 3, rng().normal(size=(44, 2))) for wave in WAVES]
KEYS, NUMBERS = rolls(12, True), rolls(12, False)
FILMS = [{"x": rng().integers(0, 256, (1 + number % 4, 3, 20, 20), dtype=np.uint8)} for number in range(40)]
NO_FRAME = {"x": FILMS[0]["x"][:0]}
STROKES = [np.stack([rows[:, 0], rows[:, 1] > 0, rows[:, 2]], 1) for rows in NUMBERS]  # a switch between two numbers
SAYINGS = sentences(40)
SAID = [" ".join(text.upper().split()[::-1][:3]) for text in SAYINGS]
PICTURES = [film["x"][0] for film in FILMS]
NO_PICTURE = PICTURES[0][:, :0, :0]
ITEMS = tuple(key for key, kind in BASELINES.items() if issubclass(kind, ItemBaseline))
FORECASTS = tuple(key for key, kind in BASELINES.items() if issubclass(kind, Forecast))
SESSIONS = [rng().permutation(9)[: 1 + number % 7] for number in range(40)]
SESSIONS = [(session + number) % 9 for number, session in enumerate(SESSIONS)]
CLOCKS = [np.arange(len(session)) + 100.0 * number for number, session in enumerate(SESSIONS)]
NEW_TEXT, NEW_SERIES = {"x": "unseen Ωmega"}, {"x": [1.0, None, 3.0]}
NOTHING = np.zeros((0, 3))


def classification(key: str, inputs: list[Any], new: Any, empty: Any) -> Case:
    return Case(lambda: BASELINES[key](3), inputs, THREE, [*inputs[:7], new], empty)


def frames(key: str, rows: list[np.ndarray]) -> Case:
    return Case(BASELINES[key], [r[:-1] for r in rows], [r[1:] for r in rows], rows[:5], NOTHING)


def forecasting(key: str) -> Case:
    asked = [History(one.values[:30], one.season, one.known[:34]) for one in HISTORIES]
    return Case(lambda: BASELINES[key](4, 3), HISTORIES, HISTORIES, asked, History(np.zeros(0), 3, np.zeros((4, 2))))


def watching(key: str, *options: int) -> Case:
    series = [np.stack([h, np.where(np.arange(len(h)) % 5, h**0.5, np.nan)], 1) for h in WAVES]
    return Case(lambda: BASELINES[key](*options), series, series, [rows[:30] for rows in series], np.zeros((0, 2)))


def answers(key: str) -> Case:
    return Case(BASELINES[key], SAYINGS, SAID, ["unseen Ωmega", "good 日本", *SAYINGS[:7]], "")


def items(key: str) -> Case:
    return Case(lambda: BASELINES[key](9), SESSIONS, CLOCKS, [np.array([8, 9, 8, 1]), *SESSIONS[:7]], SESSIONS[0][:0])


CASES = {
    "majority": classification("majority", TEXTS, NEW_TEXT, {"x": ""}),
    "bag_of_words": classification("bag_of_words", TEXTS, NEW_TEXT, {"x": ""}),
    "character_ngrams": classification("character_ngrams", TEXTS, NEW_TEXT, {"x": ""}),
    "positional_naive_bayes": classification("positional_naive_bayes", DNA, {"x": "ACGTNNNNACGTACGTAC"}, {"x": ""}),
    "fixed_window": classification("fixed_window", SERIES, NEW_SERIES, {"x": []}),
    "summary_statistics": classification("summary_statistics", SERIES, NEW_SERIES, {"x": []}),
    "mean_spectrum": classification(
        "mean_spectrum", SPECTRA, {"x": np.ones((2, 4), np.float32)}, {"x": np.zeros((0, 4))}
    ),
    "every_column": classification(
        "every_column", MIXED, {"x": "?", "values": [1.0], "age": None}, {"x": "", "values": []}
    ),
    "mean_frame": classification("mean_frame", FILMS, {"x": 255 - FILMS[1]["x"]}, NO_FRAME),
    "per_label": Case(
        lambda: PerLabel(BASELINES["bag_of_words"], 2),
        TEXTS,
        [(number % 2, number % 3 == 0) for number in range(40)],
        [*TEXTS[:7], NEW_TEXT],
        {"x": ""},
    ),
    "most_frequent_tag": Case(BASELINES["most_frequent_tag"], WORDS, TAGS, [["New", "good"], *WORDS[:5]], []),
    "window_tagger": Case(BASELINES["window_tagger"], WORDS, TAGS, [["New", "good"], *WORDS[:5]], []),
    "ngram": Case(lambda: BASELINES["ngram"](9, 3), IDS, IDS, [np.array([8, 8, 1, 2]), *IDS[:9]], IDS[0][:0]),
    "marginal": frames("marginal", KEYS),
    "key_transitions": frames("key_transitions", KEYS),
    "last_frame": frames("last_frame", NUMBERS),
    "frame_ridge": frames("frame_ridge", NUMBERS),
    "frame_logistic": frames("frame_logistic", KEYS),
    "gaussian_frames": Case(lambda: GaussianFrames(FrameRidge, [1]), STROKES, STROKES, STROKES[:5], NOTHING),
    **{key: forecasting(key) for key in FORECASTS},
    "moving_z_score": watching("moving_z_score"),
    "seasonal_residual": watching("seasonal_residual", 2),
    "isolation_forest": watching("isolation_forest", 3),
    "markov_surprise": Case(
        lambda: BASELINES["markov_surprise"](7),
        [ids[:, None].astype(float) for ids in IDS],
        [ids[:, None].astype(float) for ids in IDS],
        [ids[:, None].astype(float) for ids in IDS[2:9]],
        np.zeros((0, 1)),
    ),
    "copy_source": answers("copy_source"),
    "lead_words": answers("lead_words"),
    "lead_sentence": answers("lead_sentence"),
    "most_frequent_answer": answers("most_frequent_answer"),
    "nearest_source": answers("nearest_source"),
    "nearest_picture": Case(
        BASELINES["nearest_picture"], PICTURES, SAID, [255 - PICTURES[1], *PICTURES[:6]], NO_PICTURE
    ),
    **{key: items(key) for key in ITEMS},
}
