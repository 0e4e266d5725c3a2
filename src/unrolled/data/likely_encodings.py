"""The likely encoding of bytes that are no UTF-8, for the advice beside a refusal: by the script that they show."""

import re
from typing import NamedTuple

FOREIGN = 0.4  # share of bytes above 127 at which a text is hardly written in Latin letters
FEW = 8  # bytes above 127 that say nothing, as one or two words with accents have them
_APART = 0.5  # share of such bytes between ASCII ones, below which they are parts of pairs or of words
_SURE = 0.8  # share of letters of the expected script


class _Script(NamedTuple):
    """An encoding and the letters that a text in it mostly has.

    Args:
        encoding: its name in Python.
        letters: a class of a pattern.
        share: of the letters above 127 that are such; a Japanese text has other signs as well.
        strict: an encoding with fewer signs that must read the bytes too, "" for none.
    """

    encoding: str
    letters: str
    share: float = _SURE
    strict: str = ""


_KANA, _HANGUL, _HAN = "\u3041-\u30ff", "\uac00-\ud7a3", "\u4e00-\u9fff\uff01-\uff5e\u3001-\u3011"
_SCRIPTS = (  # in this order, as some texts can be read in several ways
    _Script("cp932", _KANA, 0.3),
    _Script("euc_jp", _KANA, 0.3),
    _Script("cp949", _HANGUL, 0.9),
    _Script("gb18030", _HAN, strict="gb2312"),
    _Script("big5", _HAN),
)


def likely_encoding(around: bytes) -> str:
    """Return the likely encoding of bytes that are no UTF-8; "" for other alphabets than Latin and those of East Asia.

    Args:
        around: some of the text.

    Example:
        >>> likely_encoding("Größe".encode("latin1")), likely_encoding("これはペンです。".encode("cp932"))
        ('latin1', 'cp932')
    """
    if b"\0" in around and (wide := _wide(around)):
        return wide
    printed = [byte for byte in around if byte > ord(" ")]
    high = sum(byte > 127 for byte in printed)  # the last ASCII byte
    apart = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])", around))
    if high > FEW and (high > FOREIGN * len(printed) or apart < _APART * high):
        return next((script.encoding for script in _SCRIPTS if _shows(around, script)), "")
    return "cp1252" if any(0x80 <= byte < 0xA0 for byte in printed) else "latin1"


def _wide(around: bytes) -> str:
    """Return the encoding of a text of two bytes for each letter, by its blanks and ends of lines; "" for another."""
    little, big = (sum(map(around.count, signs)) for signs in ((b"\n\0", b" \0"), (b"\0\n", b"\0 ")))
    name = "utf-16-be" if big > little else "utf-16-le"
    lost = min(around[start:].decode(name, errors="replace").count("\ufffd") for start in (0, 1))
    return name if max(big, little) and lost <= 1 else ""


def _shows(around: bytes, script: _Script) -> bool:
    """Return whether bytes are mostly letters of a script, if they are read in its encoding."""
    signs = [sign for sign in around.decode(script.encoding, errors="replace") if ord(sign) > 127]
    letters = sum(bool(re.match(f"[{script.letters}]", sign)) for sign in signs)
    lost = around.decode(script.strict or script.encoding, errors="replace").count("\ufffd")
    return letters >= script.share * len(signs) and lost <= 1 + len(signs) // 100  # a sample is cut at its end
