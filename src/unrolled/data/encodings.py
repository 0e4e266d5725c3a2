"""Encodings of text files: by a byte order mark, by the user's word, and otherwise UTF-8."""

import codecs
from pathlib import Path
from typing import NamedTuple

from unrolled.data.likely_encodings import likely_encoding
from unrolled.errors import DataError, OptionError, message

SAMPLE_BYTES = 4096  # of a file, or around a fault, from which an encoding is judged
ISO_2022 = (b"\x1b$B", b"\x1b$@")  # with which Japanese begins in mails
MANY_NULS = 0.2  # share of zero bytes that no text in UTF-8 has


class Encoding(NamedTuple):
    """How the bytes of a file stand for characters.

    Args:
        name: Python's name of the encoding.
        mark: number of bytes of the byte order mark.
        unit: bytes of the smallest unit; 0 where a character cannot be found from the middle of a text.
    """

    name: str
    mark: int = 0
    unit: int = 1


UTF_8 = Encoding("utf-8")
MARKS = (  # the longer marks come first, because UTF-32's begins like UTF-16's
    (codecs.BOM_UTF32_LE, Encoding("utf-32-le", 4, 4)),
    (codecs.BOM_UTF32_BE, Encoding("utf-32-be", 4, 4)),
    (codecs.BOM_UTF8, Encoding("utf-8", 3)),
    (codecs.BOM_UTF16_LE, Encoding("utf-16-le", 2, 2)),
    (codecs.BOM_UTF16_BE, Encoding("utf-16-be", 2, 2)),
)
_UNITS = {"utf-16": 2, "utf-16-le": 2, "utf-16-be": 2, "utf-32": 4, "utf-32-le": 4, "utf-32-be": 4, "utf-8": 1}
_NATIVE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}


def encoding_of(start: bytes, path: Path, given: str | None = None) -> Encoding:
    """Return the encoding of a text: that of its byte order mark, or else the given one, or else UTF-8.

    Args:
        start: the first bytes of the file.
        path: for error messages.
        given: the user's choice; None = UTF-8.

    Raises:
        OptionError: an unknown encoding.
        DataError: no mark, no choice, and bytes that no text in UTF-8 has.

    Example:
        >>> encoding_of("to be".encode("utf-16-le"), Path("play.txt"), "utf-16").name
        'utf-16-le'
    """
    name = None if given is None else _known(given)
    marked = next((encoding for mark, encoding in MARKS if start.startswith(mark)), None)
    if marked is not None and (name is None or name in _UNITS or name in _NATIVE):
        return marked
    if name is not None:
        name = _NATIVE.get(name, name)
        return Encoding(name, 0, _UNITS.get(name, int(_one_byte_each(name))))
    _refuse_nuls(start[:SAMPLE_BYTES], path)
    if any(sign in start for sign in ISO_2022):
        remedy = "it is probably iso2022_jp: say encoding='iso2022_jp'"
        raise DataError(message(str(path), expected="text in UTF-8", received="signs that switch alphabets",
                                remedy=remedy))  # fmt: skip
    return UTF_8


def decoded(raw: bytes, path: Path, given: str | None = None) -> str:
    """Return bytes as text, without a byte order mark.

    Args:
        raw: the whole text.
        path: for error messages.
        given: the user's choice of an encoding; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: an unknown encoding.
        DataError: other bytes; the message names the first one and a likely encoding.
    """
    encoding = encoding_of(raw[:SAMPLE_BYTES], path, given)
    try:
        return raw[encoding.mark :].decode(encoding.name)
    except UnicodeDecodeError as fault:
        place = encoding.mark + fault.start
        raise not_text(path, place, raw[place : place + SAMPLE_BYTES], encoding.name) from fault


def not_text(path: Path, place: int, around: bytes, encoding: str) -> DataError:
    """Return the error for bytes that are not text in an encoding.

    Args:
        path: the file.
        place: the first such byte.
        around: bytes of the file from there on.
        encoding: what they were read as.
    """
    name = encoding.upper() if encoding.startswith("utf") else encoding
    return DataError(
        message(
            str(path),
            expected=f"text in {name}",
            received=f"other bytes at position {place}",
            remedy=_remedy(around) if encoding == "utf-8" else "choose another encoding=",
        )
    )


def _remedy(around: bytes) -> str:
    likely = likely_encoding(around)
    if not likely:
        return "name its encoding, such as encoding='cp1251' for Cyrillic or encoding='gb18030' for Chinese"
    return f"it is probably {likely}: say encoding={likely!r}, or convert it with iconv -f {likely} -t utf8"


def _refuse_nuls(start: bytes, path: Path) -> None:
    if start.count(0) <= MANY_NULS * len(start):
        return
    counts = [start[place::4].count(0) for place in range(4)]
    most = len(start) // 5
    wide = min(counts[:2]) > most or min(counts[2:]) > most  # of four bytes, the first or last two are mostly zero
    name = ("utf-32" if wide else "utf-16") + ("-be" if counts[0] > counts[3] else "-le")
    raise DataError(
        message(
            str(path),
            expected="text in UTF-8",
            received=f"{start.count(0)} zero bytes among the first {len(start)}",
            remedy=f"if it is text, it is probably {name[:6].upper()} without a byte order mark: say encoding={name!r}",
        )
    )


def _known(given: str) -> str:
    try:
        b"".decode(given)
        return codecs.lookup(given).name
    except (LookupError, TypeError, ValueError) as fault:
        remedy = "for example 'utf-8', 'utf-16', 'cp1252' or 'latin1'"
        raise OptionError(message("encoding", expected="a known encoding", received=given, remedy=remedy)) from fault


def _one_byte_each(name: str) -> bool:
    letters = bytes(range(128, 256)).decode(name, errors="replace")
    return name == "ascii" or (len(letters) == 128 and set(letters) != {"\ufffd"})  # half of all bytes
