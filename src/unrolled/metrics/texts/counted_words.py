"""Splitting of texts into words for scores, in any script."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import islice

# scripts that are written without spaces between words: each sign counts as a word
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x4DBF),  # Han and its extensions
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_SIGNS = "".join(f"{chr(low)}-{chr(high)}" for low, high in _UNSPACED)
_WORD = re.compile(rf"[{_SIGNS}]|[^\s{_SIGNS}]+")
LOOKED_AT = 1000  # texts that decide how a language is written


class _Table(dict[int, str]):
    """The replacement of each character for `str.translate`; filled as characters occur.

    Args:
        strict: whether only letters, marks and digits are kept.
    """

    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        kept = unicodedata.category(sign)[0] in "LMN" if self.strict else not sign.isspace()
        self[code] = " " if not kept else f" {sign} " if _is_unspaced(code) else sign
        return self[code]


_WORDS, _WRITTEN = _Table(strict=True), _Table(strict=False)


def words_of(text: str) -> list[str]:
    """Return the words in lower case without punctuation, as ROUGE and CIDEr count them.

    Example:
        >>> words_of("Don't panic: Grüße, 世界!")
        ['don', 't', 'panic', 'grüße', '世', '界']
    """
    return text.lower().translate(_WORDS).split()


def written_words(text: str) -> list[str]:
    """Return the texts between white space, unchanged; for word error rates.

    Example:
        >>> written_words("Don't panic: 世界!")
        ["Don't", 'panic:', '世', '界', '!']
    """
    return text.translate(_WRITTEN).split()


def first_words(text: str, count: int) -> str:
    """Return the text up to the end of its first `count` written words.

    Example:
        >>> first_words("Don't  panic: ever", 2), first_words("世界!", 1)
        ("Don't  panic:", '世')
    """
    places = [word.end() for word in islice(_WORD.finditer(text), max(count, 0))]
    return text[: places[-1]].strip() if places else ""


def is_unspaced(texts: Sequence[str]) -> bool:
    """Return whether most letters belong to scripts without spaces between words; the first 1,000 texts decide.

    Example:
        >>> is_unspaced(["你好", "世界 ok"]), is_unspaced(["hello", "안녕 세상"])
        (True, False)
    """
    letters = [ord(sign) for text in islice(texts, LOOKED_AT) for sign in text if sign.isalpha()]
    return 2 * sum(map(_is_unspaced, letters)) > len(letters)


def _is_unspaced(code: int) -> bool:
    return code >= _UNSPACED[0][0] and any(low <= code <= high for low, high in _UNSPACED)
