"""Files of other kinds, known by their first bytes or suffix, and what to do with each: none is ever read as text."""

import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from unrolled.data.spans import open_file
from unrolled.errors import DataError, message

_LOOK = 512  # bytes
_ZIP = b"PK\x03\x04"


class Content(NamedTuple):
    """A kind of file.

    Args:
        name: what it is called in messages.
        remedy: what to do with it.
        suffixes: of its names, in lower case.
        start: a pattern of its first bytes.
        text: whether it is text, so that a reader of texts takes it, and a reader of tables does not.
    """

    name: str
    remedy: str
    suffixes: tuple[str, ...]
    start: bytes
    text: bool = False


def _of_pandas(name: str, reader: str, suffixes: tuple[str, ...], start: bytes) -> Content:
    return Content(name, f"read it with pandas.{reader}(path), and give the frame", suffixes, start)


WORKBOOK, PARQUET, ARROW, ARRAY = "a workbook", "a Parquet file", "an Arrow file", "an array of NumPy"
_NAMES = "give the folder to ur.read_folder, or a table with names of files"
_OWN = (  # kinds that readers of ours take, under another suffix
    Content(WORKBOOK, "read it with ur.read_excel(path)", (), rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    Content(PARQUET, "read it with ur.read_parquet(path)", (), rb"PAR1"),
    Content(ARROW, "read it with ur.read_arrow(path)", (), rb"ARROW1\0\0"),
    Content(ARRAY, "read it with ur.read_npy(path)", (), rb"\x93NUMPY"),
)
CONTENTS = (
    *_OWN,
    Content("a file of MATLAB", "read it with scipy.io.loadmat(path), or with h5py from version 7.3 on, and give the "
            "arrays", (".mat",), rb"MATLAB [57]\.\d MAT-file"),
    _of_pandas("a file of SPSS", "read_spss", (".sav", ".zsav"), rb"\$FL[23]@\(#\)"),
    _of_pandas("a file of Stata", "read_stata", (".dta",), rb"<stata_dta>|[\x69-\x73][\x01\x02]\x01\0"),
    _of_pandas("a file of SAS", "read_sas", (".sas7bdat", ".xpt"),
               rb"\0{12}\xc2\xea\x81\x60\xb3\x14\x11\xcf|HEADER RECORD\*{7}LIB"),
    Content("a file of HDF5", "read it with pandas.read_hdf(path) or h5py, and give the frame or the arrays",
            (".h5", ".hdf5", ".hdf"), rb"\x89HDF\r\n\x1a\n"),
    Content("a file of NetCDF", "read it with xarray.open_dataset(path), and give the data set", (".nc", ".cdf"),
            rb"CDF[\x01\x02\x05]"),
    Content("a file of pickle", "reading one runs code that is in it; if you trust it, use pandas.read_pickle(path), "
            "and give what is in it", (".pkl", ".pickle", ".joblib"), rb"\x80[\x02-\x05]"),
    Content("a file of R", "save it as .csv in R, with write.csv(data, 'data.csv', row.names = FALSE)",
            (".rds", ".rda", ".rdata"), rb"RDX[23]\n|[XA]\n\0\0\0[\x02\x03]"),
    _of_pandas("an ORC file", "read_orc", (".orc",), rb"ORC(?=[\s\S]{0,60}[\0-\x08])"),
    Content("an Avro file", "read it with polars.read_avro(path), and give the frame", (".avro",), rb"Obj\x01"),
    Content("a recording in EDF", "read it with mne.io.read_raw_edf(path), and give its array", (".edf", ".bdf"),
            rb"0 {7}[ -~]{160}\d\d\.\d\d\.\d\d\d\d\.\d\d\.\d\d\d+ |\xffBIOSEMI"),
    Content("a record of WFDB", "read it with wfdb.rdrecord(name), and give the array p_signal", (".hea", ".atr"),
            rb"[^\s#]\S* \d+ \d+ \d+\r?\n\S+\.dat \d+ ", text=True),
    Content("a MIDI file", "read it with mido.MidiFile(path), and give records of its notes", (".mid", ".midi"),
            rb"MThd"),
    Content("tunes in ABC", "read them as text: ur.read_text(path)", (".abc",),
            rb"(?:%abc[\s\S]*?)?X: *\d+\s*\nT:", text=True),
    Content("a PDF", "save its text as .txt, or its table as .csv", (".pdf",), rb"%PDF-"),
    Content("a document", "save its text as .txt, or its table as .csv", (".docx", ".doc", ".odt", ".rtf"),
            rb"\{\\rtf"),
    Content("slides", "save their text as .txt", (".pptx", ".ppt", ".odp"), rb"(?!)"),
    Content("a web page", "download the file itself, not the page about it or a page to log in; tables of a page are "
            "read with pandas.read_html(path)", (".html", ".htm"),
            rb"(?i)\s*(?:<!--[\s\S]*?-->\s*)?<(?:!doctype )?html", text=True),
    Content("XML", "read it with pandas.read_xml(path), and give the frame", (".xml",), rb"\s*<\?xml\s", text=True),
    Content("a database of SQLite", "read it with ur.read_sql(query, 'sqlite:///name.db')",
            (".db", ".sqlite", ".sqlite3"), rb"SQLite format 3\0"),
    Content("YAML", "load it with yaml.safe_load, and give the records", (".yaml", ".yml"), rb"(?!)", text=True),
    Content("TOML", "load it with tomllib.load, and give the records", (".toml",), rb"(?!)", text=True),
    Content("a file of MessagePack", "load it with msgpack.load, and give the records", (".msgpack",), rb"(?!)"),
    Content("a capture of packets", "write its packets as .csv, such as with tshark -T fields", (".pcap", ".pcapng"),
            rb"\xd4\xc3\xb2\xa1|\xa1\xb2\xc3\xd4|\x0a\x0d\x0d\x0a"),
    Content("shapes of a map", "read it with geopandas.read_file(path), and give the frame", (".shp", ".gpkg", ".kml"),
            rb"\0\0\x27\x0a\0{20}"),
    Content("a pointer of Git LFS", "fetch the file itself, with git lfs pull", (), rb"version https://git-lfs"),
    Content("a picture", _NAMES, (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"),
            rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|II\*\0|MM\0\*"),
    Content("a recording", _NAMES, (".wav", ".flac", ".ogg", ".mp3", ".m4a"),
            rb"RIFF[\s\S]{4}WAVE|fLaC|OggS|ID3[\x02-\x04]"),
    Content("a model of PyTorch", "load a model of ours with ur.load(folder)", (".pt", ".pth", ".ckpt"), rb"(?!)"),
)  # fmt: skip
_IN_ZIP = {"xl/": WORKBOOK, "word/": "a document", "ppt/": "slides"}  # folders of Office's files
_OPEN_DOCUMENT = {b"spreadsheet": WORKBOOK, b"text": "a document", b"presentation": "slides"}


def content_of_suffix(suffix: str) -> Content | None:
    """Return the kind of files with a suffix, if it is one that no reader takes.

    Args:
        suffix: in lower case.

    Example:
        >>> content_of_suffix(".dta").name
        'a file of Stata'
    """
    return next((one for one in CONTENTS if suffix in one.suffixes), None)


def content_of(path: Path, text: bool = False) -> Content | None:
    """Return what a file holds by its first bytes; None where they show nothing, as those of most texts.

    Args:
        path: the file.
        text: whether kinds of text count.
    """
    with open_file(path) as file:
        start = file.read(_LOOK)
    if start.startswith(_ZIP):
        name = _name_in_zip(path, start)
        return next((one for one in CONTENTS if one.name == name), None)
    start = start.removeprefix(b"\xef\xbb\xbf")
    return next((one for one in CONTENTS if (text or not one.text) and re.match(one.start, start)), None)


def refuse_content(path: Path, own: Collection[str] = (), text: bool = False) -> None:
    """Refuse a file that holds something else than a reader reads, whatever its name is.

    Args:
        path: the file.
        own: names of the kinds that the reader reads.
        text: whether kinds of text, such as a web page, are refused too.

    Raises:
        DataError: such a file; the message says what it is, and what to do with it.
        OSError: a file that cannot be opened.
    """
    found = content_of(path, text)
    if found is not None and found.name not in own:
        raise refused_content(str(path), found)


def refused_content(shown: str, found: Content) -> DataError:
    """Return the error for a file of a kind that is not read, or not by this reader."""
    return DataError(message(shown, expected="another kind of file", received=found.name, remedy=found.remedy))


def _name_in_zip(path: Path, start: bytes) -> str | None:
    """Return what a zip archive holds, if it is one of Office's or OpenDocument's."""
    kind = re.search(rb"mimetypeapplication/vnd\.oasis\.opendocument\.(\w+)", start)
    if kind is not None:
        return _OPEN_DOCUMENT.get(kind[1])
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return None  # the reader says what is wrong with it
    if "[Content_Types].xml" not in names:
        return None
    return next((name for folder, name in _IN_ZIP.items() if any(one.startswith(folder) for one in names)), None)
