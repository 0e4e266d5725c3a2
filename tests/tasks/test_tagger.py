"""Tagger: words by their characters, by their neighbours, and any other sequence a step of which has a label."""

import numpy as np
import pytest

from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.words import Words
from unrolled.errors import DataError, InputError, OptionError
from unrolled.tasks.classification.tagger import Tagger
from unrolled.tasks.registry import load

FAST = {"epochs": 15, "learning_rate": 0.02, "batch_size": 16, "validation": 0.0}


def verbs_and_adverbs(count, seed=0):
    """Made-up stems; only the ending tells the label."""
    draw = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        stems = ["".join(draw.choice(list("abdefgkmnop"), draw.integers(2, 5))) for _ in range(draw.integers(1, 5))]
        endings = [str(ending) for ending in draw.choice(["ing", "ly"], len(stems))]
        rows.append(
            {
                "words": [stem + ending for stem, ending in zip(stems, endings, strict=True)],
                "tags": ["VERB" if ending == "ing" else "ADV" for ending in endings],
            }
        )
    return rows


@pytest.mark.filterwarnings("ignore::unrolled.reading_report.UnrolledWarning")
def test_unseen_words_are_tagged_by_their_characters():
    model = Tagger(hidden_size=12, dropout=0.1).fit(verbs_and_adverbs(60), **{**FAST, "epochs": 8})
    unseen = verbs_and_adverbs(30, seed=9)
    scores = model.evaluate(unseen)
    assert scores.model["accuracy"] >= 0.95
    assert scores.model["accuracy"] > scores.baselines["most frequent label per value"]["accuracy"] + 0.2
    words_alone = Tagger(inputs=[Words("words")], hidden_size=12).fit(verbs_and_adverbs(60), epochs=4)
    assert words_alone.evaluate(unseen).model["accuracy"] < 0.85


def test_neighbours_on_both_sides_decide():
    rows = [
        {"words": ["to", "run"], "tags": ["P", "V"]},
        {"words": ["the", "run"], "tags": ["D", "N"]},
        {"words": ["run", "fast"], "tags": ["V", "A"]},
        {"words": ["run", "ended"], "tags": ["N", "V"]},
    ]
    model = Tagger(inputs=[Words("words", embedding_size=8)], hidden_size=8, dropout=0.0)
    model.fit(rows * 10, **{**FAST, "epochs": 30})
    assert model.predict(rows) == [row["tags"] for row in rows]


def test_answers_have_the_lengths_of_the_questions():
    model = Tagger(hidden_size=4).fit(verbs_and_adverbs(20), epochs=1)
    asked = [{"words": []}, {"words": ["a"]}, {"words": ["b", "", "ding"]}]
    assert [len(tags) for tags in model.predict(asked)] == [0, 1, 3]
    shares = model.predict_proba(asked)
    assert [array.shape for array in shares] == [(0, 2), (1, 2), (3, 2)]
    np.testing.assert_allclose(shares[2].sum(1), 1, rtol=1e-5)
    assert sorted(model.classes_) == ["ADV", "VERB"]


def test_steps_that_are_numbers_are_tagged():
    draw = np.random.default_rng(0)
    rows = [{"v": draw.normal(size=6).tolist()} for _ in range(60)]
    for row in rows:
        row["tags"] = np.where(np.array(row["v"]) > 0, 1, 0).tolist()
    model = Tagger(inputs=[Numbers("v")], hidden_size=8, dropout=0.0).fit(rows, **FAST)
    scores = model.evaluate(rows)
    assert scores.model["accuracy"] >= 0.95
    assert {type(tag) for tag in model.predict(rows[:2])[0]} == {int}


def test_characters_of_a_text_are_steps_too(tmp_path):
    rows = [
        {"text": text, "tags": ["v" if c in "aeiou" else "c" for c in text]} for text in ("banana", "orange", "fig")
    ]
    model = Tagger(inputs=[Characters("text")], hidden_size=8, dropout=0.0).fit(rows * 12, **FAST)
    assert model.predict([{"text": "bio"}]) == [["c", "v", "v"]]
    scores = model.evaluate(rows)
    assert scores.model["accuracy"] == 1
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").evaluate(rows) == scores


def test_label_lists_of_another_length_are_refused():
    rows = [{"words": ["a", "b"], "tags": ["X"]}] * 10
    with pytest.raises(InputError, match=r"tags|words|length"):
        Tagger(hidden_size=4).fit(rows, epochs=1)


def test_single_labels_point_to_the_classifier():
    with pytest.raises(DataError, match="Classifier"):
        Tagger(hidden_size=4).fit([{"words": ["a", "b"], "tags": "X"}, {"words": ["c"], "tags": "Y"}] * 5, epochs=1)


def test_a_target_that_is_no_label_codec_is_refused():
    with pytest.raises(OptionError, match="target"):
        Tagger(target=Words("tags"), hidden_size=4).fit(verbs_and_adverbs(10), epochs=1)
