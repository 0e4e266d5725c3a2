"""Characters, words, subwords and the characters of words."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.vocabulary import BoundedCounter
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words, _pattern, join_words, split_words
from unrolled.errors import DataError, NotFittedError, OptionError

texts = st.lists(st.text(), min_size=1).filter(any)


def rows(*values: object) -> list[dict[str, object]]:
    return [{"x": value} for value in values]


@given(texts)
def test_characters_lose_nothing_of_what_they_learnt(values: list[str]) -> None:
    codec = Characters("x").fit(rows(*values))
    assert codec.decode(codec.encode(rows(*values))) == values


@given(st.text(), st.text(min_size=1))
def test_unknown_characters_are_exactly_those_not_in_fit(text: str, learnt: str) -> None:
    codec = Characters("x").fit(rows(learnt))
    indices = codec.encode(rows(text)).values.tolist()
    assert [index == 0 for index in indices] == [character not in learnt for character in text]
    assert codec.report().get("unknown", 0) == sum(character not in learnt for character in text)


def test_long_texts_cross_block_borders_unharmed() -> None:
    values = ["ab" * 700_000, "", "c" * 300_000, "d" * 800_001]
    codec = Characters("x").fit(iter(rows(*values)))
    assert codec.decode(codec.encode(rows(*values))) == values


def test_half_characters_count_as_unknown() -> None:
    codec = Characters("x").fit(rows("a\ud800"))
    assert codec.encode(rows("\ud800a")).values.tolist() == [0, 1]
    assert codec.decode(codec.encode(rows("\ud800a"))) == ["\ufffda"]


def test_max_size_keeps_the_most_frequent_characters() -> None:
    codec = Characters("x", max_size=2).fit(rows("zzz yyy x"))
    assert codec.spec.size == 3
    assert codec.decode(codec.encode(rows("xyz"))) == ["\ufffdyz"]
    assert Characters("x", min_count=3).fit(rows("zzz yy x")).spec.size == 2


def test_lowercase_may_change_the_length() -> None:
    codec = Characters("x", lowercase=True).fit(rows("İstanbul"))
    assert codec.encode(rows("İ")).lengths.tolist() == [len("İ".lower())]


@pytest.mark.parametrize("codec", [Characters("x"), Subwords("x", 256), Words("x"), WordCharacters("x")], ids=repr)
def test_a_number_among_texts_is_named_by_record(codec: Characters) -> None:
    with pytest.raises(DataError, match=r"column 'x', record 1: expected .*text.*received int"):
        codec.fit(rows("good", 7))


@pytest.mark.parametrize("arguments", [{"min_count": 0}, {"max_size": 0}])
def test_sizes_below_one_are_refused(arguments: dict[str, int]) -> None:
    for codec in (Characters, Words):
        with pytest.raises(OptionError, match="min_count, max_size"):
            codec("x", **arguments).fit(rows("a"))


# ---- words --------------------------------------------------------------------------------------


@given(st.text())
def test_splitting_drops_only_white_space(text: str) -> None:
    assert "".join(split_words(text)) == re.sub(r"\s", "", text)


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_the_fast_pattern_for_ascii_finds_the_same_words(text: str) -> None:
    assert split_words(text) == _pattern().findall(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't, don’t!", ["Don't", ",", "don’t", "!"]),
        ("naïve cafe\u0301", ["naïve", "cafe\u0301"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("日本語 and кот", ["日", "本", "語", "and", "кот"]),
        ("1,000.50 (or v2)", ["1,000.50", "(", "or", "v2", ")"]),
        ("👍🏽 👩\u200d👩\u200d👧!", ["👍🏽", "👩\u200d👩\u200d👧", "!"]),
        (" \t\n", []),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert split_words(text) == words


@pytest.mark.parametrize(
    "text", ['He said "well-known (fact)", no?', "We pay $3.50; don't you?", "日本語です。", "[a] and/or “b”…"]
)
def test_joined_words_read_as_they_were_written(text: str) -> None:
    assert join_words(split_words(text)) == text


def test_rare_and_surplus_words_are_unknown() -> None:
    records = rows("a a a b b c", "a")
    assert Words("x", min_count=2).fit(records).words_ == ["a", "b"]
    assert Words("x", max_size=1).fit(records).words_ == ["a"]
    codec = Words("x", max_size=1).fit(records)
    assert codec.encode(rows("c a", None)).values.tolist() == [0, 1]
    assert codec.report() == {"unknown": 1}


def test_lowercase_joins_cases_of_text_and_tokens() -> None:
    assert Words("x", lowercase=True).fit(rows("The the")).words_ == ["the"]
    assert Words("x", lowercase=True).fit(rows(["The", None, "the"])).words_ == ["the"]


def test_tokens_are_not_split_again() -> None:
    codec = Words("x").fit(rows(["New York", "don't."], []))
    assert codec.encode(rows(["New York"])).lengths.tolist() == [1]
    with pytest.raises(DataError, match="record 0: expected a list, as in the other records"):
        codec.encode(rows("New York"))


def test_lists_and_texts_in_one_column_are_refused() -> None:
    with pytest.raises(DataError, match="record 2: expected a single value"):
        Words("x").fit(rows("a", None, ["b"]))
    with pytest.raises(DataError, match="record 1: expected text tokens, received int"):
        Words("x").fit(rows(["a"], ["b", 3]))


def test_counting_stays_bounded_and_keeps_the_frequent() -> None:
    counter = BoundedCounter(limit=100)
    for step in range(500):
        counter.update(["often", f"rare {step}", f"rare {-step}"])
    assert len(counter.counts) <= 100
    assert counter.most_frequent(1, 1) == ["often"]


def test_words_that_no_file_can_hold_are_unknown() -> None:
    codec = Words("x").fit(rows(["good", "bad\ud800"]))
    assert codec.words_ == ["good"]


# ---- the characters of words --------------------------------------------------------------------


def test_repeated_words_are_stored_once() -> None:
    codec = WordCharacters("x").fit(rows("to be or not to be"))
    nested = codec.encode(rows("to be", "be to be"))
    assert nested.lengths.tolist() == [2, 3]
    assert nested.pieces.batch_size == 2
    assert nested.index.values.tolist() == [0, 1, 1, 0, 1]


def test_word_characters_keep_step_with_words() -> None:
    records = rows("It's 3.50, naïve!", "", "日本")
    nested = WordCharacters("x").fit(records).encode(records)
    assert torch.equal(nested.lengths, Words("x").fit(records).encode(records).lengths)


def test_plain_pieces_decode_as_one_sentence() -> None:
    codec = WordCharacters("x").fit(rows("to be"))
    assert codec.decode(codec.encode(rows("be to be")).pieces) == ["be to"]


# ---- subwords -----------------------------------------------------------------------------------

SUBWORDS = Subwords("x", size=300).fit(rows("low lower lowest newest widest " * 20))


@given(st.lists(st.text()))
def test_subwords_lose_nothing_not_even_of_unseen_scripts(values: list[str]) -> None:
    assert SUBWORDS.decode(SUBWORDS.encode(rows(*values))) == values


def test_frequent_words_become_few_subwords() -> None:
    assert SUBWORDS.encode(rows("lowest newest")).num_steps < len("lowest newest") / 2
    assert SUBWORDS.spec.unknown_index is None


def test_the_size_bounds_the_vocabulary() -> None:
    assert SUBWORDS.spec.size <= 300
    with pytest.raises(OptionError, match="size: expected a number >= 256"):
        Subwords("x", size=100).fit(rows("a"))


def test_special_looking_text_is_only_text() -> None:
    text = "<unk> [CLS] </s> <|endoftext|>"
    assert SUBWORDS.decode(SUBWORDS.encode(rows(text))) == [text]


def test_half_characters_are_replaced() -> None:
    assert SUBWORDS.decode(SUBWORDS.encode(rows("a\ud800"))) == ["a?"]


def test_not_fitted_names_the_remedy() -> None:
    with pytest.raises(NotFittedError, match=r"Words\('x', max_size=5\): expected a fitted codec.*call fit"):
        Words("x", max_size=5).encode(rows("a"))
