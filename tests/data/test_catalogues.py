"""Catalogues of messages and parallel text become pairs; every bad one becomes one sentence."""

import contextlib
import gzip
import struct

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unrolled as ur
from unrolled.cli.reading import read_data
from unrolled.data.formats.catalogues import read_po
from unrolled.data.formats.parallel import read_parallel
from unrolled.data.readers import read
from unrolled.errors import DataError, OptionError

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset={}\\n"\n\n'
GERMAN = (
    HEADER.format("UTF-8")
    + r"""
# a remark
msgid "Open"
msgstr "Öffnen"

msgctxt "menu"
msgid "Open"
msgstr "Aufmachen"

#, fuzzy
msgid "Close"
msgstr "Beenden"

msgid "Untranslated"
msgstr ""

msgid "two\n"
"lines \"and\" quotes"
msgstr "zwei\n"
"Zeilen \"und\" Zitate"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "Old"
#~ msgstr "Alt"
"""
)
PAIRS = [
    ("Open", "Öffnen", None),
    ("Open", "Aufmachen", "menu"),
    ('two\nlines "and" quotes', 'zwei\nZeilen "und" Zitate', None),
    ("%d file", "%d Datei", None),
    ("%d files", "%d Dateien", None),
]


def put(folder, name, text, encoding="utf-8"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def pairs(source):
    return [(row["source"], row["target"], row["context"]) for row in source]


def compiled(text):
    return polib.pofile(text).to_binary()


# ---- what is read ------------------------------------------------------------------------------------


def test_only_finished_messages_are_read_with_their_contexts_and_plural_forms(tmp_path):
    source = read_po(put(tmp_path, "de.po", GERMAN))
    assert source.columns == ["source", "target", "file", "context"]
    assert pairs(source) == PAIRS
    assert {row["file"] for row in source} == {"de.po"}


def test_a_compiled_catalogue_holds_the_same(tmp_path):
    assert sorted(pairs(read_po(put(tmp_path, "de.mo", compiled(GERMAN)))), key=str) == sorted(PAIRS, key=str)


def test_numbers_in_the_other_order_of_bytes_are_read_too(tmp_path):
    raw = bytearray(compiled(GERMAN))
    words = 7 + 4 * struct.unpack_from("<I", raw, 8)[0]  # the head and both tables
    raw[: 4 * words] = struct.pack(f">{words}I", *struct.unpack_from(f"<{words}I", raw))
    assert len(read_po(put(tmp_path, "de.mo", bytes(raw)))) == len(PAIRS)


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=5))
def test_whatever_messages_hold_both_kinds_agree_with_what_was_written(tmp_path_factory, messages):
    folder = tmp_path_factory.mktemp("catalogue")
    known = {a: b for a, b in messages if a.strip() and b.strip() and not set(a + b) & set("\0\x04\r")}
    file = polib.POFile()
    file.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    for source, target in {**known, "end": "Ende"}.items():
        file.append(polib.POEntry(msgid=source, msgstr=target))
    put(folder, "x.mo", file.to_binary())
    put(folder, "x.po", str(file))
    want = {**known, "end": "Ende"}
    assert {row["source"]: row["target"] for row in read_po(folder / "x.mo")} == want
    assert {row["source"]: row["target"] for row in read_po(folder / "x.po")} == want


def test_a_language_without_plural_answers_the_plural_and_one_with_three_has_three(tmp_path):
    head = 'msgid "a file"\nmsgid_plural "%d files"\n'
    one = read_po(put(tmp_path, "ja.po", head + 'msgstr[0] "%d ファイル"\n'))
    assert pairs(one) == [("%d files", "%d ファイル", None)]
    three = read_po(put(tmp_path, "pl.po", head + 'msgstr[0] "plik"\nmsgstr[1] "%d pliki"\nmsgstr[2] "%d plików"\n'))
    assert [row["source"] for row in three] == ["a file", "%d files", "%d files"]
    some = read_po(put(tmp_path, "xx.po", head + 'msgstr[0] ""\nmsgstr[1] "%d pliki"\n'))
    assert pairs(some) == [("%d files", "%d pliki", None)]


@pytest.mark.parametrize(("charset", "word"), [("ISO-8859-1", "Öffnen"), ("koi8-r", "Открыть"), ("EUC-JP", "開く")])
def test_the_charset_of_the_header_is_used(tmp_path, charset, word):
    text = HEADER.format(charset) + f'msgid "Open"\nmsgstr "{word}"\n'
    assert pairs(read_po(put(tmp_path, "x.po", text, charset))) == [("Open", word, None)]
    file = polib.pofile(text)
    file.encoding = charset
    assert pairs(read_po(put(tmp_path, "x.mo", file.to_binary()))) == [("Open", word, None)]


@pytest.mark.parametrize("text", ["\ufeff" + GERMAN, GERMAN.replace("\n", "\r\n"), GERMAN.replace("UTF-8", "CHARSET")])
def test_byte_order_marks_windows_lines_and_templates_are_read(tmp_path, text):
    assert pairs(read_po(put(tmp_path, "de.po", text))) == PAIRS


def test_rare_line_ends_inside_a_message_are_not_ends_of_lines(tmp_path):
    text = 'msgid "a\u2028b\u0085c"\nmsgstr "x\u2028y\x0cz"\n'
    assert pairs(read_po(put(tmp_path, "x.po", text))) == [("a\u2028b\u0085c", "x\u2028y\x0cz", None)]


def test_a_folder_is_all_its_catalogues_and_a_compiled_twin_is_not_read_twice(tmp_path):
    put(tmp_path, "app/de.po", GERMAN)
    put(tmp_path, "app/de.mo", compiled(GERMAN))
    put(tmp_path, "lib/de.mo", compiled('msgid "yes"\nmsgstr "ja"\n'))
    put(tmp_path, "lib/fr.po.gz", gzip.compress(b'msgid "yes"\nmsgstr "oui"\n'))
    put(tmp_path, "empty.po", HEADER.format("UTF-8"))
    put(tmp_path, ".hidden/x.po", "damaged")
    source = read_po(tmp_path)
    assert [row["file"] for row in source] == ["app/de.po"] * len(PAIRS) + ["lib/de.mo", "lib/fr.po.gz"]
    assert list(read(tmp_path)) == list(source)
    put(tmp_path, "readme.txt", "a text")
    assert "source" not in read(tmp_path).columns


def test_they_are_read_by_their_suffix_and_by_the_command_line(tmp_path):
    put(tmp_path, "de.po", GERMAN)
    put(tmp_path, "de.MO", compiled(GERMAN))
    put(tmp_path, "de.po.gz", gzip.compress(GERMAN.encode()))
    assert pairs(read(tmp_path / "de.po")) == pairs(read(tmp_path / "de.po.gz")) == PAIRS
    assert len(read(tmp_path / "de.MO")) == len(PAIRS)
    assert pairs(read_data(str(tmp_path / "de.po"))) == PAIRS
    assert pairs(read_data(str(put(tmp_path, "messages", GERMAN)), form="po")) == PAIRS


# ---- marks of keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "marks", "want"),
    [
        ("&File", "&", "File"),
        ("Save &As...", "&", "Save As..."),
        ("E_xit", "_", "Exit"),
        ("~Edit", "~", "Edit"),
        ("ファイル(&F)", "&", "ファイル"),
        ("文件 (_F)...", "_", "文件..."),
        ("Fish && C&hips", "&", "Fish & Chips"),
        ("R&&D", "&", "R&D"),
        ("a &amp; b", "&", "a &amp; b"),
        ("&#38;", "&", "&#38;"),
        ("this & that", "&", "this & that"),
        ("use my_long_name", "_", "use my_long_name"),
        ("&File and _Edit", "&_", "File and Edit"),
        ("&File", "", "&File"),
        ("&File", "_", "&File"),
        ("&Ärger", "&", "Ärger"),
    ],
)
def test_the_mark_of_a_key_is_removed_and_nothing_else(tmp_path, text, marks, want):
    path = put(tmp_path, "x.po", f'msgid "{text}"\nmsgstr "{text}"\n')
    assert pairs(read_po(path, accelerators=marks)) == [(want, want, None)]


def test_another_mark_is_refused(tmp_path):
    with pytest.raises(OptionError, match=r"accelerators.*& _ ~.*%"):
        read_po(put(tmp_path, "x.po", GERMAN), accelerators="%")


# ---- what is bad -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.po", b"", "empty file"),
        ("a.mo", b"", "empty file"),
        ("a.po", b"hello there\n", r"a\.po, line 1.*msgid"),
        ("a.po", b'msgid "a"\nmsgstr "b"\nmsgid "say "x""\n', r"line 3.*quotes"),
        ("a.po", b'msgid "a"\nmsgstr "b\xff"\n', r"text in utf-8.*position 19"),
        ("a.po", HEADER.format("ascii").encode() + 'msgid "a"\nmsgstr "ö"\n'.encode(), "text in ascii"),
        ("a.po", HEADER.format("klingon").encode(), "known charset.*klingon"),
        ("a.po", HEADER.format("UTF-8").encode(), "at least one translated message, received none"),
        ("a.po", b'#, fuzzy\nmsgid "a"\nmsgstr "b"\n', "at least one translated message"),
        ("a.mo", b"not a catalogue, by far", "compiled catalogue"),
        ("a.mo", compiled(GERMAN)[:60], "compiled catalogue"),
        ("a.mo", compiled(GERMAN)[:-20], "compiled catalogue"),
        ("a.mo", struct.pack("<7I", 0x950412DE, 0, 2**31, 28, 28, 0, 0), "compiled catalogue"),
        ("a.mo", b"\xde\x12", "compiled catalogue"),
        ("a.po.gz", b"plain", "gzip"),
    ],
)
def test_a_damaged_or_empty_catalogue_is_one_sentence(tmp_path, name, content, words):
    path = put(tmp_path, name, content)
    with pytest.raises(DataError, match=words) as caught:
        read_po(path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.po", "a.mo"])
@given(cut=st.integers(0, 400), place=st.integers(0, 400), put_in=st.binary(max_size=6))
def test_however_it_is_damaged_it_is_read_or_refused_as_data(tmp_path_factory, name, cut, place, put_in):
    whole = GERMAN.encode() if name == "a.po" else compiled(GERMAN)
    path = put(tmp_path_factory.mktemp("damaged"), name, whole[:place] + put_in + whole[place + cut :])
    with contextlib.suppress(DataError):
        read_po(path)


@pytest.mark.parametrize("charset", ["base64", "idna", "punycode", "utf-16"])
def test_a_charset_that_is_none_or_another_is_refused(tmp_path, charset):
    path = put(tmp_path, "x.po", HEADER.format(charset) + 'msgid "a"\nmsgstr "ö"\n')
    with pytest.raises(DataError, match=r"x\.po"):
        read_po(path)


def test_a_missing_catalogue_or_a_folder_without_any_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"x\.po.*No such file"):
        read_po(tmp_path / "x.po")
    put(tmp_path, "a.txt", "text")
    with pytest.raises(DataError, match="none in 0 catalogues"):
        read_po(tmp_path)


# ---- parallel text -----------------------------------------------------------------------------------


def test_line_n_stands_beside_line_n(tmp_path):
    one = put(tmp_path, "train.en", "yes\r\nno\u2028way\n\n\nmaybe")
    other = put(tmp_path, "train.de.gz", gzip.compress("ja\nnein\n\nLücke\nvielleicht\n".encode()))
    assert [tuple(row.values()) for row in ur.read_parallel(one, other)] == [
        ("yes", "ja"),
        ("no\u2028way", "nein"),
        ("", "Lücke"),
        ("maybe", "vielleicht"),
    ]


def test_unequal_numbers_of_lines_are_refused_with_both(tmp_path):
    one, other = put(tmp_path, "a.en", "x\n" * 1200), put(tmp_path, "a.de", "y\n" * 1199)
    with pytest.raises(DataError, match=r"1,200 lines, as .*a\.en has, received 1,199 in .*a\.de") as caught:
        read_parallel(one, other)
    assert "\n" not in str(caught.value)


def test_an_empty_missing_or_strange_side_is_refused(tmp_path):
    good = put(tmp_path, "a.en", "x\n")
    for name, text, words in (("b", "", "empty"), ("c", "\n", "empty"), ("d", b"\xff\n", "UTF-8")):
        with pytest.raises(DataError, match=words):
            read_parallel(good, put(tmp_path, name, text))
    with pytest.raises(DataError, match="No such file"):
        read_parallel(tmp_path / "nothing", good)
