"""BLEU-4 and CIDEr of captions are those that the COCO evaluation prints.

The numbers were made by running `BleuScorer(n=4)` with option "closest", times 100, and `CiderScorer(n=4)` of
pycocoevalcap 1.2 on the captions that `case` draws, which hold plain words only, so that no tokenizer plays a part.
"""

import numpy as np
import pytest

from unrolled.metrics.texts.cider import CiderD
from unrolled.metrics.texts.coco_bleu import coco_bleu
from unrolled.metrics.texts.text_scores import caption_scores

WORDS = ["a", "the", "red", "blue", "car", "house", "dog", "cat", "on", "in"]
WORDS += ["road", "tree", "of", "two", "big", "small", "runs", "sits", "near"]
PRINTED = [  # seed, 100 x BLEU-4, CIDEr
    (0, 68.823358439, 4.047437917),
    (1, 0.004915523, 2.509359297),
    (2, 28.17066786, 1.903016055),
    (3, 20.800285692, 2.245122891),
    (4, 42.998859176, 3.654543103),
    (5, 26.495372956, 1.736474064),
    (6, 45.28228783, 2.638899386),
    (9, 59.43135776, 3.357594),
    (11, 0.007770504, 0.998096564),
    (13, 58.000243425, 4.234568673),
    (15, 0.003651773, 1.602862956),
    (16, 68.516050639, 4.916959568),
    (23, 4.94e-07, 0.88061223),
]


def case(seed):
    rng = np.random.default_rng(seed)
    truth, said = [], []
    for _ in range(int(rng.integers(2, 9))):
        base = rng.choice(WORDS, int(rng.integers(3, 11))).tolist()
        texts = []
        for _ in range(int(rng.integers(1, 4))):
            one = [word if rng.random() > 0.25 else str(rng.choice(WORDS)) for word in base]
            texts.append(" ".join(one[: int(rng.integers(2, 12))]))
        truth.append(texts)
        said.append(" ".join(word for word in base if rng.random() > (0.1 + 0.1 * (seed % 4))))
    return truth, said


@pytest.mark.parametrize(("seed", "bleu", "cider"), PRINTED)
def test_captions_have_the_scores_that_the_coco_evaluation_prints(seed, bleu, cider):
    truth, said = case(seed)
    assert coco_bleu(truth, said) == pytest.approx(bleu, abs=1e-8)
    assert np.mean(CiderD(truth)(said)) == pytest.approx(cider, abs=1e-8)
    got = caption_scores(truth, said, {}).model
    assert (got["bleu"], got["cider_d"]) == pytest.approx((bleu, cider), abs=1e-8)


def test_without_four_right_words_in_a_row_bleu_is_nothing_where_sacrebleu_smooths():
    assert coco_bleu([["one two three four five"]], ["five four three two one"]) < 0.01
