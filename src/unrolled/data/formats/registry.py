"""The readers of single formats by suffix and by name; a new format is one line here."""

from collections.abc import Callable
from typing import NamedTuple

from unrolled.data.formats.arff import read_arff
from unrolled.data.formats.arrays import read_npy, read_npz
from unrolled.data.formats.arrow import read_arrow
from unrolled.data.formats.catalogues import read_po
from unrolled.data.formats.conll import read_conll
from unrolled.data.formats.excel import read_excel
from unrolled.data.formats.fasta import read_fasta
from unrolled.data.formats.fastq import read_fastq
from unrolled.data.formats.json_tables import read_json
from unrolled.data.formats.subtitles import read_subtitles
from unrolled.data.formats.ts import read_ts
from unrolled.data.formats.tsf import read_tsf
from unrolled.data.formats.ucr import read_ucr
from unrolled.data.formats.xes import read_xes
from unrolled.data.source import Source


class Format(NamedTuple):
    """A format of files.

    Args:
        read: its reader.
        suffixes: by which `read` chooses this format; in lower case.
        tables: whether the reader takes `time` and `group`.
        texts: whether the reader takes `encoding`.
    """

    read: Callable[..., Source]
    suffixes: tuple[str, ...]
    tables: bool = False
    texts: bool = True


FORMATS = {
    "arff": Format(read_arff, (".arff",)),
    "arrow": Format(read_arrow, (".arrow", ".arrows", ".ipc", ".feather"), tables=True, texts=False),
    "conll": Format(read_conll, (".conll", ".conllu")),
    "excel": Format(read_excel, (".xlsx", ".xlsb", ".xls", ".ods"), tables=True, texts=False),
    "fasta": Format(read_fasta, (".fasta", ".fa", ".fna", ".faa", ".ffn", ".frn", ".fas", ".mpfa")),
    "fastq": Format(read_fastq, (".fastq", ".fq")),
    "json": Format(read_json, (".json",), tables=True),
    "npy": Format(read_npy, (".npy",), texts=False),
    "npz": Format(read_npz, (".npz",), texts=False),
    "po": Format(read_po, (".po", ".mo"), texts=False),
    "subtitles": Format(read_subtitles, (".srt", ".vtt")),
    "ts": Format(read_ts, (".ts",)),
    "tsf": Format(read_tsf, (".tsf",)),
    "ucr": Format(read_ucr, ()),
    "xes": Format(read_xes, (".xes",), texts=False),
}


def format_of(suffix: str) -> Format | None:
    """Return the format of a suffix such as ".ts", without ".gz"; None if it is none of these.

    Example:
        >>> format_of(".fna").read.__name__
        'read_fasta'
    """
    return next((found for found in FORMATS.values() if suffix in found.suffixes), None)
