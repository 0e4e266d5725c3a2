"""The CoNLL formats: one token per line with its labels, and a blank line after each sentence."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.formats import blanks
from unrolled.data.lists import list_column
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, message, unknown
from unrolled.places import local_path

WORDS = ("syntactic", "surface")
MOST_FIELDS = 1000  # a table of more columns than that would take more memory than its file
_DOCUMENT = "-DOCSTART-"  # CoNLL-2003's line between documents
_UNIVERSAL = 10  # fields of CoNLL-U, of which the first is a number, a range or the number of an empty node
_NUMBER = re.compile(r"\d+(?:-(\d+)|\.\d+)?")
_NOTE = re.compile(r"#[ \t]*([^=]*?)[ \t]*=[ \t]*(.*)")
_COLUMNS = "global.columns"  # the comment with which CoNLL-U Plus names its columns


class _Sentence(NamedTuple):
    tokens: list[list[str]]
    notes: dict[str, str]  # comments of the form `# name = value`


@from_anywhere()
def read_conll(
    path: str | Path,
    columns: Sequence[str] | None = None,
    words: str = "syntactic",
    comments: Sequence[str] = (),
    encoding: str | None = None,
) -> Table:
    r"""Read one token per line, a blank line after each sentence: one row per sentence, list columns.

    Fields are separated by tabs, or by blanks where the first line of tokens has no tab. Lines of `-DOCSTART-` and
    comments, which begin with `#`, are left out; in other formats than CoNLL-U, where tokens begin the lines, `#` is a
    word if it has as many fields as other lines and is within a sentence, or has a label that others have.

    Args:
        path: the file: .conllu, .conll, or any other.
        columns: names of the fields; default: col_0, col_1, ..., or those of CoNLL-U Plus.
        words: which tokens of CoNLL-U: the "syntactic" words, which have tags and heads ("do", "n't"), or the "surface"
            tokens as they are written ("don't"), with the fields of their range (`1-2`). Empty nodes (`1.1`) are in
            neither.
        comments: names of comments such as "sent_id" (of `# sent_id = 7`) that become columns of text.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, or a line with another number of fields.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "tagged.conll"
        >>> _ = file.write_text("The DET\ncat NOUN\n\nruns VERB\n")
        >>> list(read_conll(file, columns=["word", "tag"]))
        [{'word': ['The', 'cat'], 'tag': ['DET', 'NOUN']}, {'word': ['runs'], 'tag': ['VERB']}]
    """
    if words not in WORDS:
        raise unknown("words", words, WORDS)
    lines = whole_text(local_path(path), encoding).split("\n")
    form = _Form(lines)
    sentences = list(_sentences(lines, form, path, words))
    if not sentences:
        raise DataError(message(str(path), expected="at least one token", received="none"))
    names = list(columns) if columns is not None else _names(lines, form.width)
    if len(names) != form.width or len({*names, *comments}) != len(names) + len(comments):
        received = f"{len(names)}: {', '.join(map(str, [*names, *comments]))}"
        raise DataError(message("columns", expected=f"{form.width} different names for {path}", received=received))
    values = {
        name: list_column([[fields[place] for fields in found.tokens] for found in sentences], pl.String)
        for place, name in enumerate(names)
    }
    kept = {name: pl.Series([found.notes.get(name) for found in sentences], dtype=pl.String) for name in comments}
    return Table(pl.DataFrame(values | kept))


class _Form:
    """How the lines of a file are made: separator, number of fields, and whether it is CoNLL-U.

    Args:
        lines: all lines.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        filled = [line for line in lines if line and line.strip(" \t")]
        tokens = [line for line in filled if not line.startswith(("#", _DOCUMENT))]
        marked = [line for line in filled if line.startswith("#")]
        # where every line begins with #, those with a tab are tokens
        first = next((line for line in tokens or marked if tokens or "\t" in line), "")
        self.tabs = "\t" in first
        self.width = len(self.fields(first)) if first else 0
        numbered = [_NUMBER.fullmatch(self.fields(line)[0]) is not None for line in tokens[:100]]
        named = any(_COLUMNS in line for line in marked[:1])
        self.universal = self.tabs and (self.width == _UNIVERSAL or named) and 2 * sum(numbered) >= len(numbered)
        self.labels = set() if self.universal or not marked else {self.fields(line)[-1] for line in tokens}

    def fields(self, text: str) -> list[str]:
        """Return the fields of a line."""
        return text.split("\t") if self.tabs else blanks.words(text)

    def is_comment(self, text: str, within: bool) -> bool:
        """Return whether a line that begins with # is a comment; `within` says whether a sentence has begun."""
        if self.universal:
            return True
        fields = self.fields(text)
        if len(fields) == self.width and (within or fields[-1] in self.labels):
            return False
        if self.tabs and "\t" in text and not self.labels:
            return False  # there are no other lines
        return not within or text.startswith("# ")


def _sentences(lines: Sequence[str], form: _Form, path: str | Path, words: str) -> Iterator[_Sentence]:
    sentence, covered, word = _Sentence([], {}), 0, 0
    for number, line in enumerate(lines, 1):
        if not line or not line.strip(" \t"):
            if sentence.tokens:
                yield sentence
            if sentence.tokens or sentence.notes:
                sentence, covered, word = _Sentence([], {}), 0, 0
            continue
        if line.startswith("#") and form.is_comment(line, bool(sentence.tokens)):
            if note := _NOTE.fullmatch(line):
                sentence.notes[note[1]] = note[2]
            continue
        fields = form.fields(line)
        if fields[0] == _DOCUMENT:
            continue
        if len(fields) != form.width or form.width > MOST_FIELDS:
            expected = f"{form.width} fields" if form.width <= MOST_FIELDS else f"at most {MOST_FIELDS:,} fields"
            raise DataError(message(f"{path}, line {number}", expected=expected, received=len(fields)))
        if form.universal:
            found = _NUMBER.fullmatch(fields[0])
            if found is None:
                expected = "the number of a word, such as 1, or a range such as 1-2"
                raise DataError(message(f"{path}, line {number}", expected=expected, received=repr(fields[0])))
            word = _next_word(fields[0], word, f"{path}, line {number}")
            if "." in fields[0] or (found[1] and words == "syntactic"):
                continue
            if found[1]:
                covered = int(found[1][:9])
            elif words == "surface" and int(fields[0][:9]) <= covered:
                continue
        sentence.tokens.append(fields)
    if sentence.tokens:
        yield sentence


def _next_word(written: str, last: int, where: str) -> int:
    """Return the number of a word, which follows the last one, or the last one itself where no word is numbered."""
    first, dash, end = written.partition("-")
    if dash and int(end[:9]) < int(first[:9]):
        raise DataError(message(where, expected="a range such as 1-2", received=repr(written)))
    if dash or "." in written:
        return last
    if int(first[:9]) <= last:
        remedy = "is a blank line missing before it?" if int(first[:9]) == 1 else ""
        raise DataError(message(where, expected=f"a number above {last}, that of the word before", received=first[:9],
                                remedy=remedy))  # fmt: skip
    return int(first[:9])


def _names(lines: Sequence[str], width: int) -> list[str]:
    note = _NOTE.fullmatch(lines[0])
    named = blanks.words(note[2]) if note and note[1] == _COLUMNS else []
    return named or [f"col_{place}" for place in range(width)]
