"""A text that arrives in pieces, however it is cut, encodes to the same steps as the whole."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from unrolled.codecs.base import Codec
from unrolled.codecs.holding import holder_of
from unrolled.codecs.media.picture import Pictures
from unrolled.codecs.media.video import Video
from unrolled.codecs.tables.frames import Frames
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.text.characters import Characters
from unrolled.codecs.text.subwords import Subwords
from unrolled.codecs.text.word_characters import WordCharacters
from unrolled.codecs.text.words import Words
from unrolled.errors import DataError, UnsupportedError

TEXTS = [
    {"t": "Hello world, don't pay 3.50 now 1,2,3 日本語 straße ΑΣ ΟΔΟΣ. a\u0301b 👩‍👩‍👧 x_y \n\n tab\t it's we'll I'd"}
] * 3
TRICKY = "aAbΣσ' .,1日\u0301👩‍\u200d_-\n\t  \x1c’İ😀"
CODECS: list[Codec] = [
    Characters("t"),
    Characters("t", lowercase=True),
    Words("t"),
    Words("t", lowercase=True),
    Subwords("t", size=300),
]
codecs = pytest.mark.parametrize("codec", [codec.fit(TEXTS) for codec in CODECS], ids=str)
parts = st.lists(st.one_of(st.text(TRICKY, max_size=6), st.text(st.characters(codec="utf-8"), max_size=4)), max_size=8)


def released(codec: Codec, pieces: list) -> list:
    holder = holder_of(codec)
    held, ready = holder.empty, []
    for piece in pieces:
        now, held = holder.push(piece, held)
        ready.append(now)
    return [*ready, holder.rest(held)]


@codecs
@given(pieces=parts)
@example(pieces=["AΣ", "Σ"])
@example(pieces=["\n\n", "1"])
@example(pieces=["3", ".", "5"])
@example(pieces=["don", "'", "t"])
@settings(max_examples=150, deadline=None)
def test_pieces_of_text_encode_as_the_whole(codec, pieces):
    whole = codec.encode([{"t": "".join(pieces)}])
    cut = codec.encode([{"t": text} for text in released(codec, pieces)])
    assert whole.values.tolist() == cut.values.tolist()


def test_the_characters_of_words_are_cut_as_words_are():
    one, other = holder_of(WordCharacters("t").fit(TEXTS)), holder_of(Words("t").fit(TEXTS))
    assert one.push("a cat sat on", one.empty) == other.push("a cat sat on", other.empty)


@codecs
@given(text=st.text(TRICKY, max_size=12), size=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_bytes_may_be_cut_inside_a_character(codec, text, size):
    data = text.encode()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert "".join(released(codec, pieces)) == (text.lower() if getattr(holder_of(codec), "empty", ())[2:] else text)


def test_halves_of_a_character_that_meet_are_one():
    codec = Characters("t").fit(TEXTS)
    assert "".join(released(codec, ["a\ud83d", "\ude00b"])) == "a😀b"


def test_what_can_be_read_is_not_held_back():
    words, held = holder_of(Words("t").fit(TEXTS)), None
    ready, held = words.push("one two thr", words.empty)
    assert (ready, words.rest(held)) == ("one two ", "thr")
    letters = holder_of(Characters("t").fit(TEXTS))
    assert letters.push("abc", letters.empty)[0] == "abc"


def test_a_step_stands_alone_or_among_others():
    numbers = holder_of(Numbers("x").fit([{"x": [1.0, 2.0]}]))
    assert [numbers.push(piece, ())[0] for piece in (1.5, [1.5, 2.5], None)] == [[1.5], [1.5, 2.5], [None]]
    frames = holder_of(Frames("x").fit([{"x": [[1.0, 2.0]]}]))
    assert [frames.push(piece, ())[0] for piece in ([1, 2], [[1, 2], [3, 4]], [])] == [[[1, 2]], [[1, 2], [3, 4]], []]


def test_text_of_another_kind_is_refused():
    holder = holder_of(Words("t").fit(TEXTS))
    with pytest.raises(DataError, match="expected text, received int"):
        holder.push(5, holder.empty)


def test_a_file_cannot_arrive_step_by_step():
    for codec in (Video("film"), Pictures("picture")):
        with pytest.raises(UnsupportedError, match="whole files"):
            holder_of(codec)
