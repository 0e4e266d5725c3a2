"""BLEU-4 of captions as in the COCO evaluation: over the whole corpus, and not smoothed."""

import math
from collections import Counter
from collections.abc import Sequence

from unrolled.metrics.texts.counted_words import words_of

ORDER = 4  # words of the longest n-gram
SMALL, TINY = 1e-9, 1e-15  # those of the reference program, against division by 0


def coco_bleu(truth: Sequence[Sequence[str]], answers: Sequence[str]) -> float:
    """Return the BLEU-4 of captions, 0 to 100; NaN without captions.

    Counts n-grams of the whole corpus that occur in a true caption of the same picture, at most as often as there;
    the true caption nearest in length, in a tie the shorter one, gives the brevity penalty. Without a correct
    run of four words it is about 0. Words are those of `words_of`, in lower case and without punctuation, which are
    those of the Penn Treebank tokenizer of the COCO evaluation for ordinary English.

    Args:
        truth: captions of each picture, at least one.
        answers: one per picture.

    Reference program: `Bleu(4)` of pycocoevalcap 1.2, its fourth number. Source: K. Papineni et al., "BLEU: a Method
    for Automatic Evaluation of Machine Translation", 2002.

    Example:
        >>> round(coco_bleu([["a red car on the road", "red car"]], ["a red car on a road"]), 1)
        53.7
    """
    if not len(answers):
        return float("nan")
    right, said = [0] * ORDER, [0] * ORDER
    length = wanted = 0
    for texts, answer in zip(truth, answers, strict=True):
        words, true = words_of(answer), [words_of(text) for text in texts]
        length += len(words)
        wanted += min((abs(len(one) - len(words)), len(one)) for one in true)[1]
        for size in range(1, ORDER + 1):
            found, allowed = _runs(words, size), Counter[tuple[str, ...]]()
            for one in true:
                allowed |= _runs(one, size)
            right[size - 1] += (found & allowed).total()
            said[size - 1] += found.total()
    product = math.prod((hits + TINY) / (all_ + SMALL) for hits, all_ in zip(right, said, strict=True))
    ratio = (length + TINY) / (wanted + SMALL)
    return 100 * product ** (1 / ORDER) * (math.exp(1 - 1 / ratio) if ratio < 1 else 1.0)


def _runs(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(words[start : start + size]) for start in range(len(words) - size + 1))
