"""Catalogues of translated messages, .po and .mo: pairs of texts in many languages, as programs contain them."""

import re
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from unrolled.data.documents import plain_suffix, whole_bytes
from unrolled.data.formats.folders import files_in
from unrolled.data.source import Table
from unrolled.errors import DataError, OptionError, message, reason
from unrolled.places import local_path

MAGIC = {0x950412DE: "<", 0xDE120495: ">"}  # the first number of a .mo file, and the byte order that it means
SUFFIXES = (".po", ".mo")
DECLARED = re.compile(rb"charset=([\w.:-]+)")
PLACEHOLDER = b"CHARSET"  # in a template, in place of a charset
MARKS = "&_~"
COLUMNS = ("source", "target", "file", "context")


class CatalogueEntry(NamedTuple):
    """A message and its translations: one, or one per plural form."""

    context: str | None
    source: str
    plural: str
    forms: Mapping[int, str]


def read_po(path: str | Path, accelerators: str = "") -> Table:
    r"""Read translated messages: columns `source`, `target`, `file` and `context` (None where a message has none).

    Fuzzy, obsolete and untranslated messages and the header are left out. A message with plural forms gives one record
    per form: the first with the singular, the others, or the only one, with the plural.

    Args:
        path: a .po or .mo file, `.gz` is unpacked; or a folder, whose catalogues are all read, a .mo only if no .po
            with the same name is next to it.
        accelerators: marks before the letter of a keyboard shortcut, to be removed: & (Qt, KDE), _ (GTK) or ~
            (LibreOffice), or several. A doubled mark is a literal one, and a text with several marks is left
            unchanged, as a label has only one shortcut.

    Raises:
        DataError: missing, damaged, in another encoding than it declares, or without any translated message.
        OptionError: an unknown mark.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "de.po"
        >>> _ = file.write_text('msgid "&Open"\nmsgstr "Ö&ffnen"\n', encoding="utf-8")
        >>> [(record["source"], record["target"]) for record in read_po(file, accelerators="&")]
        [('Open', 'Öffnen')]
    """
    if not set(accelerators) <= set(MARKS):
        raise OptionError(message("accelerators", expected=f"some of {' '.join(MARKS)}", received=accelerators))
    place = local_path(path)
    files = _catalogues(place) if place.is_dir() else [place]
    rows = [
        (_bare(source, accelerators), _bare(target, accelerators), _name(file, place), context)
        for file in files
        for source, target, context in _pairs(_entries(file))
    ]
    if not rows:
        what = f"none in {len(files):,} catalogues" if place.is_dir() else "none"
        raise DataError(message(str(path), expected="at least one translated message", received=what))
    return Table(pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row"))


def holds_catalogues(folder: Path) -> bool:
    """Return whether a folder contains a catalogue, and no .txt file."""
    suffixes = {plain_suffix(file) for file in files_in(folder)}
    return ".txt" not in suffixes and not suffixes.isdisjoint(SUFFIXES)


def _catalogues(folder: Path) -> list[Path]:
    found = [file for file in files_in(folder) if plain_suffix(file) in SUFFIXES]
    written = {_stem(file) for file in found if plain_suffix(file) == ".po"}
    return [file for file in found if plain_suffix(file) == ".po" or _stem(file) not in written]


def _stem(file: Path) -> Path:
    return file.parent / file.name.removesuffix(".gz").rpartition(".")[0]


def _name(file: Path, place: Path) -> str:
    return file.name if file == place else file.relative_to(place).as_posix()


def _entries(file: Path) -> list[CatalogueEntry]:
    raw = whole_bytes(file)
    if not raw:
        raise DataError(message(str(file), expected="a catalogue of messages", received="an empty file"))
    return _from_mo(raw, file) if plain_suffix(file) == ".mo" else _from_po(raw, file)


def _pairs(entries: Iterable[CatalogueEntry]) -> Iterator[tuple[str, str, str | None]]:
    for entry in entries:
        for number, target in sorted(entry.forms.items()):
            # a language without plural has one form, for any number
            source = entry.plural if entry.plural and (number or len(entry.forms) == 1) else entry.source
            if source.strip() and target.strip():
                yield source, target, entry.context


def _from_po(raw: bytes, file: Path) -> list[CatalogueEntry]:
    import polib

    text = _decoded(raw, _charset(raw), file)
    try:
        found = polib.pofile(_Lines(text.replace("\r\n", "\n") + "\n"))
    except (OSError, ValueError) as fault:
        line = re.search(r"line (\d+)\)", str(fault))
        where = f"{file}, line {line[1]}" if line else str(file)
        raise DataError(
            message(where, expected='msgid and msgstr, with quotes inside as \\"', received="something else")
        ) from fault
    return [
        CatalogueEntry(
            entry.msgctxt,
            entry.msgid,
            entry.msgid_plural,
            {int(number): form for number, form in entry.msgstr_plural.items()} or {0: entry.msgstr},
        )
        for entry in found
        if not entry.obsolete and not entry.fuzzy
    ]


class _Lines(str):
    """A text whose lines end where a file's do, and not at rarer line ends, which may occur within a message."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> list[str]:
        """Return the lines, without their ends."""
        return self.split("\n")


def _from_mo(raw: bytes, file: Path) -> list[CatalogueEntry]:
    """Read the tables of a compiled catalogue, see the manual of GNU gettext, "The Format of GNU MO Files"."""
    try:
        order = MAGIC[struct.unpack_from("<I", raw)[0]]
        _, count, sources, targets = struct.unpack_from(f"{order}4I", raw, 4)
        pairs = [
            (_string(raw, order, sources + 8 * row), _string(raw, order, targets + 8 * row)) for row in range(count)
        ]
    except (struct.error, KeyError, IndexError) as fault:
        raise DataError(
            message(str(file), expected="a compiled catalogue (.mo)", received="a damaged file or another kind")
        ) from fault
    charset = _charset(dict(pairs).get(b"", b""))
    entries = []
    for source, target in pairs:
        context, _, text = _decoded(source, charset, file).rpartition("\x04")
        singular, _, plural = text.partition("\0")
        forms = _decoded(target, charset, file).split("\0")
        if singular:
            entries.append(CatalogueEntry(context or None, singular, plural, dict(enumerate(forms))))
    return entries


def _string(raw: bytes, order: str, place: int) -> bytes:
    length, start = struct.unpack_from(f"{order}2I", raw, place)
    if start + length > len(raw):
        raise IndexError(start)
    return raw[start : start + length]


def _charset(raw: bytes) -> str:
    """Return the encoding that a catalogue declares; UTF-8 by default."""
    found = DECLARED.search(raw)
    return found[1].decode("ascii") if found and found[1] != PLACEHOLDER else "utf-8"


def _decoded(raw: bytes, charset: str, file: Path) -> str:
    try:
        return raw.decode(charset).removeprefix("\ufeff")
    except UnicodeError as fault:
        where = reason(fault, "other bytes")
        raise DataError(message(str(file), expected=f"text in {charset}, as it says", received=where)) from fault
    except LookupError as fault:
        raise DataError(message(str(file), expected="a known charset in its header", received=charset)) from fault


def _bare(text: str, marks: str) -> str:
    """Return a label without the mark of its shortcut: `&File`, `E_xit`, and `ファイル(&F)` in other scripts."""
    for mark in marks:
        sign = re.escape(mark)
        twice = f"{sign}{sign}"
        # entities such as &amp; are no shortcuts
        single = rf"(?<!{sign}){sign}(?=\w)(?!{sign})(?!#?\w+;)"
        kept = re.sub(rf"(?:{twice})", "\0", text)
        if len(re.findall(single, kept)) == 1:
            kept = re.sub(rf"\s?\({single}\w\)", "", kept)
            kept = re.sub(single, "", kept)
            text = kept.replace("\0", mark)
        elif not re.search(single, kept):
            text = kept.replace("\0", mark)
    return text
