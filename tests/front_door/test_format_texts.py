"""Texts in any encoding and with any line end: read where the file says what it is, refused with what to say."""

import re
from pathlib import Path

import pytest

import unrolled as ur
from unrolled.cli.formats import FORMATS, SINGLE
from unrolled.cli.reading import read_data
from unrolled.data.documents import Documents, in_utf8
from unrolled.data.formats import registry
from unrolled.errors import DataError, OptionError

SOURCE = Path(__file__).parents[2] / "src" / "unrolled"
TEXT = "Grüße, \U0001f600 ਊ਍!\nzwei\r\ndrei\u2028vier\rfünf\x0b\n"  # with bytes of line ends inside letters
LINES = ["Grüße, \U0001f600 ਊ਍!", "zwei", "drei\u2028vier", "fünf\x0b"]
MARKED = ["utf-8-sig", "utf-16", "utf-32"]
UNMARKED = ["utf-8", "utf-16-le", "utf-16-be", "utf-32-be", "utf-32-le"]
FILES = {
    "a.csv": "word,n\nGrüße,1\n",
    "a.tsv": "word\tn\nGrüße\t1\n",
    "a.jsonl": '{"word": "Grüße", "n": 1}\n',
    "a.json": '[{"word": "Grüße", "n": 1}]',
    "a.conll": "Grüße 1\n",
    "a.fasta": ">Grüße\nACGT\n",
    "a.fastq": "@Grüße\nA\n+\n!\n",
    "a.srt": "00:00:01,0 --> 00:00:02,0\nGrüße\n",
    "a.ts": "@classLabel true Grüße b\n@data\n1,2:Grüße\n",
    "a.tsf": "@attribute Grüße string\n@data\nx:1\n",
    "a.arff": "@attribute Grüße numeric\n@data\n1\n",
    "a.txt": "Grüße und Küsse\n",
}


def put(folder, name, raw):
    (folder / name).write_bytes(raw)
    return folder / name


@pytest.mark.parametrize("encoding", MARKED)
@pytest.mark.parametrize("name", FILES)
def test_every_text_with_a_byte_order_mark_is_read(tmp_path, name, encoding):
    plain = list(ur.read(put(tmp_path, name, FILES[name].encode())))
    assert list(ur.read(put(tmp_path, name, FILES[name].encode(encoding)))) == plain
    assert "Grüße" in str(plain) + str(ur.read(tmp_path / name).columns)


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-be", "mac_roman"])
@pytest.mark.parametrize("name", FILES)
def test_every_text_is_read_in_the_encoding_that_is_named(tmp_path, name, encoding):
    plain = list(ur.read(put(tmp_path, name, FILES[name].encode())))
    path = put(tmp_path, name, FILES[name].encode(encoding))
    assert list(read_data(str(path), encoding=encoding)) == plain


@pytest.mark.parametrize("name", FILES)
def test_a_text_in_another_encoding_is_answered_with_the_likely_one(tmp_path, name):
    for encoding, likely in (("latin1", "latin1"), ("cp1252", "cp1252"), ("utf-16-le", "utf-16-le")):
        text = FILES[name].replace("ße", "ß–") if likely == "cp1252" else FILES[name]
        path = put(tmp_path, name, text.encode(encoding))
        with pytest.raises(DataError, match=rf"encoding='{likely}'") as caught:
            list(ur.read(path))
        assert str(path) in str(caught.value)
        assert list(read_data(str(path), encoding=likely))


def test_the_answer_to_another_alphabet_or_a_wrong_choice_names_others(tmp_path):
    path = put(tmp_path, "a.txt", "Быть или не быть, вот в чём вопрос".encode("cp1251"))
    with pytest.raises(DataError, match="encoding='cp1251' for Cyrillic"):
        list(ur.read(path))
    assert next(iter(ur.read_text(path, encoding="cp1251")))["text"].startswith("Быть")
    with pytest.raises(DataError, match=r"text in ascii.*another encoding="):
        list(ur.read_text(path, encoding="ascii"))
    with pytest.raises(OptionError, match=r"a known encoding.*'utf-8'"):
        ur.read_text(path, encoding="utf-88")
    with pytest.raises(DataError, match=r"text in gb18030.*another encoding="):
        ur.read_text(path, encoding="gb18030")
    with pytest.raises(OptionError, match="--encoding"):
        read_data(str(put(tmp_path, "a.npy", b"x")), encoding="latin1")


@pytest.mark.parametrize("encoding", [*MARKED, *UNMARKED])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_lazy_texts_of_any_encoding_lose_no_letter_and_cut_no_line(tmp_path, encoding, share):
    path = put(tmp_path, "a.txt", (TEXT * 3).encode(encoding))
    given = None if encoding in (*MARKED, "utf-8") else encoding
    parts = Documents([path], encoding=given).split(test=share)
    assert "".join(record["text"] for part in parts for record in part) == TEXT * 3
    lines = Documents([path], "lines", encoding=given)
    assert [record["text"] for record in lines] == LINES * 3
    assert [record["text"] for part in lines.split(test=share) for record in part] == LINES * 3


def test_a_language_model_learns_from_utf_16(tmp_path):
    path = put(tmp_path, "a.txt", ("to be or not to be\n" * 60).encode("utf-16"))
    model = ur.LanguageModel(hidden_size=8).fit(path, epochs=1, progress=False)
    assert "\0" not in model.generate("to", length=20, seed=0)


def test_a_single_carriage_return_ends_no_line_where_lines_are_counted(tmp_path):
    one, other = put(tmp_path, "a.en", b"a\rb\r\nc\n"), put(tmp_path, "a.de", b"x\ny\n")
    assert list(ur.read_parallel(one, other)) == [{"source": "a\rb", "target": "x"}, {"source": "c", "target": "y"}]
    old = put(tmp_path, "b.en", b"a\rb\r")
    assert [row["source"] for row in ur.read_parallel(old, other)] == ["a", "b"]


def test_bytes_for_readers_of_utf_8_are_converted_only_where_needed(tmp_path):
    path = put(tmp_path, "a.csv", b"a\n1\n")
    assert in_utf8(path) == path
    assert in_utf8(put(tmp_path, "b.csv", "ü".encode("utf-16"))) == "ü".encode()


def test_the_command_line_and_the_documentation_name_every_format():
    assert set(SINGLE) == set(registry.FORMATS) <= set(FORMATS)
    page = (SOURCE.parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    for name, found in registry.FORMATS.items():
        assert f"`ur.{found.read.__name__}" in page, name
        assert all(f"`{suffix}`" in page for suffix in found.suffixes), name


def test_no_reader_or_codec_takes_rare_white_space_for_line_ends():
    calls = re.compile(r"(?<!str\(fault\))(?<!str\(fault\)\.strip\(\))\.splitlines\(")
    files = [*SOURCE.glob("data/**/*.py"), *SOURCE.glob("codecs/**/*.py")]
    assert not [file.name for file in files if calls.search(file.read_text(encoding="utf-8"))]
