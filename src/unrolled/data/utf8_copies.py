"""Copies in UTF-8 of texts whose encoding lets no reader begin in the middle, such as Shift-JIS."""

import atexit
import codecs
import shutil
import tempfile
from pathlib import Path

from unrolled.data.encodings import SAMPLE_BYTES, Encoding, encoding_of, not_text
from unrolled.data.spans import open_file
from unrolled.errors import DataError, message, reason

_BLOCK_BYTES = 1 << 20


def with_units(path: Path, given: str | None) -> tuple[Path, str | None]:
    """Return a file that can be read from any place, and its encoding: the file itself, or a copy in UTF-8.

    The copy is removed when the program ends.

    Args:
        path: the file.
        given: the user's choice of an encoding; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: an unknown encoding.
        DataError: a file that cannot be read, or bytes that are not text in this encoding.
    """
    if given is None:
        return path, given
    with open_file(path) as file:
        encoding = encoding_of(file.read(SAMPLE_BYTES), path, given)
    return (path, given) if encoding.unit else (_copy(path, encoding), None)


def _copy(path: Path, encoding: Encoding) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="unrolled-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    decoder, place = codecs.getincrementaldecoder(encoding.name)(), 0
    with open_file(path) as source, (folder / path.name).open("wb") as file:
        while True:
            block = source.read(_BLOCK_BYTES)
            held = decoder.getstate()[0]
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as fault:
                shutil.rmtree(folder, ignore_errors=True)
                around = (held + block)[fault.start : fault.start + SAMPLE_BYTES]
                raise not_text(path, place - len(held) + fault.start, around, encoding.name) from fault
            try:
                file.write(text.encode())
            except OSError as fault:
                shutil.rmtree(folder, ignore_errors=True)
                received = reason(fault)
                raise DataError(message(str(path), expected="room for a copy in UTF-8", received=received)) from fault
            if not block:
                return folder / path.name
            place += len(block)
