"""BLEU and chrF by sacrebleu, and ROUGE by rouge-score; both are optional libraries."""

from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from unrolled.errors import UnsupportedError, unknown
from unrolled.metrics.texts.counted_words import is_unspaced, words_of

AUTO = "auto"
TOKENIZERS = (AUTO, "13a", "intl", "zh", "char", "none")
ORDER = 4  # words of the longest n-gram that BLEU counts
LONGEST = 1000  # words of a text that ROUGE uses: its table of common subsequences grows with their square
UNSTEMMED = 3  # letters of the longest word that stays as it is, as in rouge-score
ROUGE = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}


def chosen_tokenizer(name: str, truth: Sequence[Sequence[str]]) -> str:
    """Return the tokenizer by its name; "auto" is char for texts without spaces, else 13a.

    Raises:
        OptionError: a name that is not in `TOKENIZERS`.
    """
    if name not in TOKENIZERS:
        raise unknown("tokenizer", name, TOKENIZERS)
    if name != AUTO:
        return name
    return "char" if is_unspaced([text for texts in truth for text in texts]) else "13a"


class Corpus:
    """The BLEU and chrF of many answers to the same questions.

    Args:
        truth: the true texts of each item, at least one.
        tokenizer: one in `TOKENIZERS`, for BLEU.

    Source: K. Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002; M. Popović,
    "chrF: character n-gram F-score for automatic MT evaluation", 2015; M. Post, "A Call for Clarity in Reporting BLEU
    Scores", 2018, for the signatures.
    """

    def __init__(self, truth: Sequence[Sequence[str]], tokenizer: str = AUTO) -> None:
        metrics = needed("sacrebleu.metrics")
        most = max(map(len, truth), default=0)
        streams = [[texts[place] if place < len(texts) else None for texts in truth] for place in range(most)]
        tokenizer = chosen_tokenizer(tokenizer, truth)
        # force: sacrebleu warns of texts that look tokenized already, such as "good ."; here they may be so
        self._bleu: Any = metrics.BLEU(tokenize=tokenizer, force=True, references=streams or None)
        self._chrf: Any = metrics.CHRF(references=streams or None)
        self.has_bleu = any(len(self._bleu.tokenizer(text).split()) >= ORDER for texts in truth for text in texts)

    def bleu(self, answers: Sequence[str]) -> float:
        """Return BLEU, 0 to 100; meaningless if `has_bleu` is false, as no true text has four words."""
        return float(self._bleu.corpus_score(list(answers), None).score) if answers else float("nan")

    def chrf(self, answers: Sequence[str]) -> float:
        """Return chrF, 0 to 100."""
        return float(self._chrf.corpus_score(list(answers), None).score) if answers else float("nan")

    def signature(self, name: str) -> str:
        """Return the signature with which others can reproduce "bleu" or "chrf"; at least one answer must be scored."""
        title, metric = {"bleu": ("BLEU", self._bleu), "chrf": ("chrF", self._chrf)}[name]
        return f"{title} {metric.get_signature()}"


def sentence_bleu_chrf(
    truth: Sequence[Sequence[str]], answers: Sequence[str], tokenizer: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return BLEU and chrF of each answer alone, 0 to 100, (M,) each; BLEU of n-grams as long as the answer allows."""
    metrics = needed("sacrebleu.metrics")
    tokenizer = chosen_tokenizer(tokenizer, truth)
    bleu, chrf = metrics.BLEU(tokenize=tokenizer, force=True, effective_order=True), metrics.CHRF()
    pairs = list(zip(answers, map(list, truth), strict=True))
    return (
        np.array([bleu.sentence_score(answer, texts).score for answer, texts in pairs], dtype=np.float64),
        np.array([chrf.sentence_score(answer, texts).score for answer, texts in pairs], dtype=np.float64),
    )


def rouge(
    truth: Sequence[Sequence[str]],
    answers: Sequence[str],
    stemmed: bool = False,
    names: Sequence[str] = tuple(ROUGE),
) -> dict[str, np.ndarray]:
    """Return the F1 of words, of pairs of words and of the longest common subsequence, by answer: (M,) each, 0 to 1.

    Of several true texts the nearest counts. Words are those of `words_of`; only the first 1,000 of a text are used.

    Args:
        truth: the true texts of each item, at least one.
        answers: one text per item.
        stemmed: count the stems of English words (Porter's) of more than three letters, as many papers do.
        names: which of rouge_1, rouge_2 and rouge_l to return.

    Source: C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004, sections 2 and 3.
    """
    keys = {name: ROUGE[name] for name in names}
    words = _Stems() if stemmed else _Words()
    scorer: Any = needed("rouge_score.rouge_scorer").RougeScorer(list(keys.values()), tokenizer=words)
    found = [scorer.score_multi(list(texts), answer) for texts, answer in zip(truth, answers, strict=True)]
    return {name: np.array([one[key].fmeasure for one in found], dtype=np.float64) for name, key in keys.items()}


class _Words:
    """A tokenizer for rouge-score, whose own knows only words of the letters a to z."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text."""
        return words_of(text)[:LONGEST]


class _Stems(_Words):
    """The same words as stems, where they have more than three letters of a to z."""

    def __init__(self) -> None:
        self._stem = cache(needed("nltk.stem.porter").PorterStemmer().stem)

    def tokenize(self, text: str) -> list[str]:
        return [
            self._stem(word) if len(word) > UNSTEMMED and word.isascii() else word for word in super().tokenize(text)
        ]


def needed(module: str) -> Any:
    """Return a module of an optional library.

    Raises:
        UnsupportedError: the library is not installed.
    """
    try:
        return import_module(module)
    except ImportError as fault:
        name = module.partition(".")[0].replace("_", "-")
        raise UnsupportedError(f"scores of texts need {name}; pip install 'unrolled[metrics]'") from fault
