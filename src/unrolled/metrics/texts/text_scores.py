"""Scores of texts as one table: the model's answers next to those of its baselines."""

from collections.abc import Mapping, Sequence

import numpy as np

from unrolled.errors import DataError, message, unknown
from unrolled.metrics.scores import Metrics, Scores
from unrolled.metrics.texts.cider import CiderD
from unrolled.metrics.texts.coco_bleu import ORDER, coco_bleu
from unrolled.metrics.texts.counted_words import words_of, written_words
from unrolled.metrics.texts.edits import edits_of
from unrolled.metrics.texts.libraries import AUTO, Corpus, rouge, sentence_bleu_chrf

Truth = Sequence[str | Sequence[str]]
HIGHER: dict[str, bool] = dict.fromkeys(("exact", "bleu", "chrf", "cider_d", "rouge_1", "rouge_2", "rouge_l"), True)
HIGHER |= {"cer": False, "wer": False}
NO_BLEU = "BLEU left out: no true text has four words."
DECIDES = "rouge_2"  # the score that is compared with and without stems
SHORT = 5  # maximum number of characters of a text that counts as one word


def text_scores(
    truth: Truth,
    answers: Sequence[str],
    rivals: Mapping[str, Sequence[str]],
    tokenizer: str = AUTO,
    leading: str = AUTO,
) -> Scores:
    """Return exact match, BLEU and chrF (0 to 100), F1 by ROUGE, and character and word error rates.

    BLEU is left out if no true text has four words, as it would be 0 for every answer; exact match then leads in its
    place. Error rates are edits divided by the length of the true texts, all items together: they may exceed 1. For
    BLEU, chrF and ROUGE an empty text counts as nothing, even if it is right.

    Args:
        truth: one text per item, or several of which the nearest counts.
        answers: the model's answers.
        rivals: the baselines' answers by name.
        tokenizer: how BLEU splits texts: 13a, intl, zh, char or none; auto is char for scripts without spaces between
            words, else 13a. The signature in the notes says which.
        leading: the metric that decides: exact, bleu, chrf, rouge_1, rouge_2, rouge_l, cer or wer; auto is exact if
            more than half of the items have a true text of one word or of at most 5 characters, else chrf.

    Raises:
        DataError: not one answer per item, an item without a true text, or a value that is no text.
        OptionError: an unknown tokenizer or metric.
        UnsupportedError: sacrebleu or rouge-score is not installed.

    Reference program: sacrebleu for BLEU (with its default smoothing) and chrF, rouge-score for ROUGE (with the words
    of `words_of`), and jiwer for the error rates.

    Example:
        >>> scores = text_scores(["the cat sat down"], ["the cat sat"], {"copy": ["a dog"]})
        >>> round(scores.model["chrf"], 1), scores.model["wer"], scores.leading
        (66.0, 0.25, 'chrf')
        >>> scores.notes[0].split("|")[3]
        'tok:13a'
    """
    true, said = _references(truth), _answers(answers, rivals, len(truth))
    corpus = Corpus(true, tokenizer)

    def measure(texts: list[str]) -> Metrics:
        rates = {"cer": _rate(*edits_of(true, texts, list)), "wer": _rate(*edits_of(true, texts, written_words))}
        shares = {name: _mean(values) for name, values in rouge(true, texts).items()}
        exact = {"exact": _mean(_exact(true, texts))}
        return exact | _bleu(corpus, texts) | {"chrf": corpus.chrf(texts)} | shares | rates

    if leading == AUTO:
        leading = "exact" if 2 * sum(map(_has_short, true)) > len(true) else "chrf"
    rows = {name: measure(texts) for name, texts in said.items()}
    notes = [corpus.signature(name) for name in ("bleu", "chrf") if name in rows[""] and true]
    if true and corpus.has_bleu:
        notes.append(_stems_note(true, said, rows))
    return _table(rows, leading, ("bleu",), "texts", notes if corpus.has_bleu else [*notes, NO_BLEU], len(true))


def caption_scores(
    truth: Truth, answers: Sequence[str], rivals: Mapping[str, Sequence[str]], leading: str = "cider_d"
) -> Scores:
    """Return CIDEr-D (0 to 10), BLEU-4 (0 to 100) and exact match of captions.

    CIDEr-D is left out for a single picture, where it is 0 for every caption, and BLEU if no true caption has four
    words, as it would be 0 for every answer. If the leading metric is left out, exact match leads.

    Args:
        truth: one caption per picture, or several.
        answers: the model's captions.
        rivals: the baselines' captions by name.
        leading: the metric that decides: exact, bleu or cider_d.

    Raises:
        DataError, OptionError: see `text_scores`.

    Reference program: pycocoevalcap 1.2, its CIDEr (which is CIDEr-D) and its `Bleu(4)`, see `coco_bleu`, both with the
    words of `words_of`.

    Example:
        >>> truth = [["a red car", "red car"], ["a blue house"], ["grinning cat"]]
        >>> scores = caption_scores(truth, ["red car", "a house", "grinning cat"], {"most frequent": ["car"] * 3})
        >>> round(scores.model["cider_d"], 2), round(scores.model["exact"], 2), scores.wins
        (3.79, 0.67, True)
    """
    true, said = _references(truth), _answers(answers, rivals, len(truth))
    cider = CiderD(true)
    has_bleu = any(len(words_of(text)) >= ORDER for texts in true for text in texts)

    def measure(texts: list[str]) -> Metrics:
        consensus = {"cider_d": _mean(cider(texts))} if len(true) > 1 else {}
        bleu = {"bleu": coco_bleu(true, texts)} if has_bleu else {}
        return {"exact": _mean(_exact(true, texts))} | bleu | consensus

    rows = {name: measure(texts) for name, texts in said.items()}
    notes = ("BLEU-4 as pycocoevalcap 1.2 counts it, not smoothed.",) if has_bleu else (NO_BLEU,)
    return _table(rows, leading, ("bleu", "cider_d"), "captions", notes, len(true))


def sentence_scores(truth: Truth, answers: Sequence[str], tokenizer: str = AUTO) -> dict[str, np.ndarray]:
    """Return scores of every answer alone, (M,) each: exact, bleu, chrf, cer and wer, as in `text_scores`.

    BLEU here counts n-grams up to the length of the answer. An answer that is exactly right has 100, an empty one too.

    Reference program: sacrebleu's `sentence_bleu` and `sentence_chrf`, and jiwer for the error rates.

    Example:
        >>> scores = sentence_scores(["35", "yes"], ["35", "no"])
        >>> scores["bleu"].round().tolist(), scores["cer"].tolist()
        ([100.0, 0.0], [0.0, 1.0])
    """
    true, said = _references(truth), _answers(answers, {}, len(truth))[""]
    bleu, chrf = sentence_bleu_chrf(true, said, tokenizer)
    rates = {}
    for name, split in (("cer", list), ("wer", written_words)):
        edits, lengths = edits_of(true, said, split)
        rates[name] = edits / np.maximum(lengths, 1)
    exact = _exact(true, said)
    full = {name: np.where(exact, 100.0, values) for name, values in (("bleu", bleu), ("chrf", chrf))}
    return {"exact": exact.astype(np.float64), **full, **rates}


def _table(
    rows: dict[str, Metrics], leading: str, possible: Sequence[str], unit: str, notes: Sequence[str], count: int
) -> Scores:
    """Return one table; exact match leads if the leading metric could not be computed.

    Args:
        rows: metrics by name, the model's under "".
        leading: the metric that should lead.
        possible: metrics that may be left out.
        unit: unit of what was scored.
        notes: text below the table.
        count: number of scored items.
    """
    model = rows.pop("")
    if leading not in model:
        known = dict.fromkeys((*model, *possible))
        if leading not in known:
            raise unknown("leading", leading, known)
        leading = "exact"
    return Scores(count, unit, model, rows, leading, HIGHER[leading], tuple(notes))


def _stems_note(truth: Sequence[Sequence[str]], said: Mapping[str, list[str]], rows: Mapping[str, Metrics]) -> str:
    """Return how ROUGE counts words, and whether the same answers are ahead if their stems are counted."""
    stems = {name: _mean(rouge(truth, texts, stemmed=True, names=[DECIDES])[DECIDES]) for name, texts in said.items()}
    first = max(rows, key=lambda name: rows[name][DECIDES])
    best = max(stems, key=lambda name: stems[name])
    shown = f"ROUGE of words as written; of Porter's stems ROUGE-2 is {stems['']:.4f}"
    if rows[best][DECIDES] >= rows[first][DECIDES]:
        return f"{shown}, and {best or 'this model'} is ahead in both."
    ahead = f"{best or 'this model'} ({stems[best]:.4f}) is ahead in it, and {first or 'this model'} in words"
    return f"{shown}; {ahead}."


def _has_short(texts: Sequence[str]) -> bool:
    return any(len(text) <= SHORT or len(written_words(text)) <= 1 for text in texts)


def _bleu(corpus: Corpus, texts: list[str]) -> Metrics:
    return {"bleu": corpus.bleu(texts)} if corpus.has_bleu else {}


def _exact(truth: Sequence[Sequence[str]], answers: Sequence[str]) -> np.ndarray:
    return np.array([answer in texts for texts, answer in zip(truth, answers, strict=True)], dtype=bool)


def _rate(edits: np.ndarray, lengths: np.ndarray) -> float:
    return float(edits.sum() / max(lengths.sum(), 1)) if len(edits) else float("nan")


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _references(truth: Truth) -> list[list[str]]:
    found = []
    for row, texts in enumerate(truth):
        several = [texts] if isinstance(texts, str) else list(texts or ())
        if not several or not all(isinstance(text, str) for text in several):
            raise DataError(
                message("truth", expected="a text or several for each item", received=f"{texts!r} in row {row}")
            )
        found.append(several)
    return found


def _answers(answers: Sequence[str], rivals: Mapping[str, Sequence[str]], count: int) -> dict[str, list[str]]:
    """Return all answers by name, the model's under ""."""
    said = {name: list(texts) for name, texts in {"": answers, **rivals}.items()}
    for name, texts in said.items():
        whose = f"answers of {name}" if name else "answers"
        if len(texts) != count:
            raise DataError(message(whose, expected=f"{count} texts", received=len(texts)))
        row = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
        if row is not None:
            raise DataError(message(whose, expected="texts", received=f"{texts[row]!r} in row {row}"))
    return said
