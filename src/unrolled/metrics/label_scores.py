"""Scores of labels: one per sequence, several per sequence, or one per step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from unrolled.metrics.scores import IGNORED, UNSEEN, Metrics, Scores, answered, mean

TOP = 5  # k of top-k accuracy, used with more than twice as many classes
SHOWN = 5  # unseen labels that are named


def classification_scores(
    truth: np.ndarray, shares: np.ndarray, rivals: Mapping[str, np.ndarray], size: int, notes: Sequence[str] = ()
) -> Scores:
    """Compute accuracy, macro-F1 (over the classes that occur) and log loss; with many classes also top-5 accuracy.

    A label that training never saw (`UNSEEN`) counts as answered wrong, and in macro-F1 as one more class, whose F1 is
    0. Log loss is the mean over the other sequences, as no probability is predicted for such a label. A probability
    below the smallest normal number of its type costs what that number costs: 708 nats in float64, 87 in float32.

    Args:
        truth: class indices, (B,); `IGNORED` ones are skipped.
        shares: the model's probabilities, (B, V).
        rivals: the baselines' probabilities by name.
        size: number of classes, V.
        notes: remarks for the reader, such as which labels were never seen.

    Raises:
        DataError: a probability that is no number.

    Reference program: scikit-learn's `accuracy_score`, `f1_score(average="macro")` over the labels of truth and
    answers, `log_loss` (but for its bound) and `top_k_accuracy_score` (where nothing ties).

    Example:
        >>> got = classification_scores(np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]]), {}, 2).model
        >>> got["accuracy"], round(got["macro_f1"], 3), round(got["log_loss"], 3)
        (0.5, 0.333, 0.57)
    """
    counts = np.asarray(truth) != IGNORED
    rows = {}
    for name, values in {"": shares, **rivals}.items():
        values = answered(values, name, "probabilities", counts[:, None])
        rows[name] = _classes(truth[counts], values[counts], size)
    return Scores(int(counts.sum()), "sequences", rows.pop(""), rows, "accuracy", True, tuple(notes))


def _classes(truth: np.ndarray, shares: np.ndarray, size: int) -> Metrics:
    guess = shares.argmax(1) if len(shares) else np.empty(0, dtype=int)
    seen = truth != UNSEEN
    own = shares[np.arange(len(truth)), truth][seen]
    metrics = {
        "accuracy": mean(guess == truth),
        "macro_f1": macro_f1(np.where(seen, truth, size), guess, size + 1),
        "log_loss": mean(_nats(own)),
    }
    return metrics | ({f"top_{TOP}": top_k_accuracy(truth, shares, TOP)} if size > 2 * TOP else {})


def _nats(right: np.ndarray, least: float | None = None) -> np.ndarray:
    """Return the cost of the true classes' probabilities in nats; one below `least` costs what `least` does."""
    right = right if right.dtype.kind == "f" else right.astype(np.float64)
    return -np.log(np.clip(right, np.finfo(right.dtype).tiny if least is None else least, 1), dtype=np.float64)


def top_k_accuracy(truth: np.ndarray, shares: np.ndarray, k: int) -> float:
    """Compute how often the truth is among the k likeliest classes; ties count against it.

    Args:
        truth: class indices, (B,); one below 0 is never among them.
        shares: probabilities, (B, V).
        k: number of classes.

    Raises:
        DataError: a probability that is no number.

    Reference program: scikit-learn's `top_k_accuracy_score`, where nothing ties.

    Example:
        >>> top_k_accuracy(np.array([0, 1]), np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]]), 2)
        0.5
    """
    shares = answered(shares, what="probabilities")
    own = shares[np.arange(len(truth)), truth][:, None]
    return mean(((shares >= own).sum(1) <= k) & (np.asarray(truth) >= 0))


def macro_f1(truth: np.ndarray, guess: np.ndarray, size: int) -> float:
    """Compute the mean F1 over the classes that occur in the truth or in the answers.

    Args:
        truth: class indices, (B,).
        guess: the answers, (B,).
        size: classes, V.

    Reference program: scikit-learn's `f1_score(average="macro")` over the labels of truth and answers.

    Example:
        >>> round(macro_f1(np.array([0, 0, 1]), np.array([0, 1, 1]), 3), 3)
        0.667
    """
    hits = np.bincount(truth[truth == guess], minlength=size)
    both = np.bincount(truth, minlength=size) + np.bincount(guess, minlength=size)
    return mean(2 * hits[both > 0] / both[both > 0])


def multilabel_scores(
    truth: np.ndarray,
    shares: np.ndarray,
    rivals: Mapping[str, np.ndarray],
    size: int,
    unseen: np.ndarray | None = None,
    notes: Sequence[str] = (),
) -> Scores:
    """Compute micro-F1, the share of sets that are entirely right, and log loss per label.

    No answer can contain a label that training never saw: it counts against recall, its set is wrong, and the log
    loss, a mean over the learnt labels, leaves it out. See `binary_nats` for the bounds of log loss.

    Args:
        truth: 1 for each label that is there, else 0, (B, V).
        shares: the model's probabilities, (B, V).
        rivals: the baselines' by name.
        size: number of labels, V.
        unseen: number of true labels of each sequence that training never saw, (B,); None = none.
        notes: remarks for the reader, such as which labels were never seen.

    Raises:
        DataError: a probability that is no number.

    Reference program: scikit-learn's `f1_score(average="micro")`, `accuracy_score` of sets, and the mean over labels
    of `log_loss` (but for its bound). Where neither truth nor answers hold a label, micro-F1 is 1.

    Example:
        >>> multilabel_scores(np.array([[1, 0]]), np.array([[0.9, 0.8]]), {}, 2).model["exact"]
        0.0
    """
    missed = np.zeros(len(truth), dtype=np.int64) if unseen is None else unseen
    rows = {
        name: _sets(truth > 0.5, answered(values, name, "probabilities"), missed)
        for name, values in {"": shares, **rivals}.items()
    }
    return Scores(len(truth), "sequences", rows.pop(""), rows, "micro_f1", True, tuple(notes))


def _sets(truth: np.ndarray, shares: np.ndarray, missed: np.ndarray) -> Metrics:
    guess = shares > 0.5
    hits = float((truth & guess).sum())
    total = float(truth.sum() + guess.sum() + missed.sum())
    return {
        "micro_f1": 2 * hits / total if total else mean(np.ones(len(truth))),
        "exact": mean((truth == guess).all(1) & (missed == 0)),
        "log_loss": mean(binary_nats(truth, shares)),
    }


def binary_nats(truth: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the cost of predicted probabilities of binary events, in nats.

    A probability below the smallest normal number of its type costs what that number costs: 708 nats in float64, 87 in
    float32. One near 1 is known only to half a rounding step, so a wrong certainty costs at most 37 and 17 nats.

    Args:
        truth: bool, of any shape.
        shares: probabilities, of the same shape.

    Reference program: scikit-learn's `log_loss` of two classes, but for its bound.

    Example:
        >>> binary_nats(np.array([True, False]), np.array([0.5, 0.75])).round(3).tolist()
        [0.693, 1.386]
    """
    limits = np.finfo(shares.dtype if shares.dtype.kind == "f" else np.float64)
    return np.where(truth, _nats(shares), _nats(1 - shares, limits.epsneg / 2))


def tagging_scores(
    truth: Sequence[Sequence[Any]],
    guess: Sequence[Sequence[Any]],
    rivals: Mapping[str, Sequence[Sequence[Any]]],
    notes: Sequence[str] = (),
) -> Scores:
    """Compute accuracy per step, macro-F1 over the labels of truth and answers, and the share of faultless sequences.

    Args:
        truth: labels of every step of every sequence; steps whose label is None do not count.
        guess: the model's labels.
        rivals: the baselines' labels by name.
        notes: remarks for the reader, such as which labels were never seen.

    Reference program: scikit-learn's `accuracy_score` and `f1_score(average="macro")` of all steps together. Sequences
    without a step that counts are left out of the share of whole ones.

    Example:
        >>> tagging_scores([["D", "N"], ["V"]], [["D", "V"], ["V"]], {}).model["whole_sequences"]
        0.5
    """
    known = [[place for place, label in enumerate(row) if label is not None] for row in truth]
    truth = _steps(truth, known)
    rows = {name: _tags(truth, _steps(labels, known)) for name, labels in {"": guess, **rivals}.items()}
    return Scores(sum(map(len, truth)), "steps", rows.pop(""), rows, "accuracy", True, tuple(notes))


def unseen_notes(unseen: Counter[Any], counts: str = "count as answered wrong") -> tuple[str, ...]:
    """Return a note about labels that training never saw; nothing if there are none.

    Args:
        unseen: how often each occurs.
        counts: how they are scored.

    Example:
        >>> unseen_notes(Counter({"X": 2, "Y": 1}))
        ("3 labels that training never saw count as answered wrong: 'X', 'Y'",)
    """
    if not unseen:
        return ()
    names = [repr(label) for label, _ in unseen.most_common(SHOWN)]
    more = ", ..." if len(unseen) > SHOWN else ""
    what = "label" if unseen.total() == 1 else "labels"
    return (f"{unseen.total():,} {what} that training never saw {counts}: {', '.join(names)}{more}",)


def _steps(rows: Sequence[Sequence[Any]], places: Sequence[Sequence[int]]) -> list[list[Any]]:
    return [[row[place] for place in chosen] for row, chosen in zip(rows, places, strict=True)]


def _tags(truth: Sequence[Sequence[Any]], guess: Sequence[Sequence[Any]]) -> Metrics:
    index: dict[Any, int] = {}
    true, said = (
        np.array([index.setdefault(label, len(index)) for label in chain.from_iterable(rows)], dtype=int)
        for rows in (truth, guess)
    )
    whole = [list(a) == list(b) for a, b in zip(truth, guess, strict=True) if len(a)]
    return {
        "accuracy": mean(true == said),
        "macro_f1": macro_f1(true, said, len(index)),
        "whole_sequences": mean(np.array(whole)),
    }
