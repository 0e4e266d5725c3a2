"""Texts in encodings of several bytes are read when these are named, and refused with the likely name otherwise."""

import re
import tempfile

import pytest

import unrolled as ur
from unrolled.cli.reading import read_data
from unrolled.data.likely_encodings import likely_encoding
from unrolled.errors import DataError

TEXTS = {
    "Japanese": "これはペンです。日本語のテキストを読みます。カタカナも。",
    "Chinese": "中文文本测试，这是一个例子。我们读取数据。",
    "traditional Chinese": "繁體中文測試，這是一個例子。我們讀取資料。",
    "Korean": "한국어 텍스트 이것은 예입니다. 데이터를 읽습니다.",
    "French": "« Être ou ne pas être », c’est là la question déjà posée.",
}
NAMED = [  # language, encoding, and the one that is advised, which reads the same
    ("Japanese", "shift_jis", "cp932"),
    ("Japanese", "euc_jp", "euc_jp"),
    ("Japanese", "iso2022_jp", "iso2022_jp"),
    ("Japanese", "utf-16-le", "utf-16-le"),
    ("Japanese", "utf-16-be", "utf-16-be"),
    ("Japanese", "utf-32-be", "utf-32-be"),
    ("Chinese", "gb2312", "gb18030"),
    ("Chinese", "gbk", "gb18030"),
    ("Chinese", "gb18030", "gb18030"),
    ("Chinese", "utf-32-le", "utf-32-le"),
    ("traditional Chinese", "big5", "big5"),
    ("Korean", "euc_kr", "cp949"),
    ("Korean", "utf-16-le", "utf-16-le"),
    ("French", "cp1252", "cp1252"),
]
FORMS = {
    "a.txt": "{}\nb\n",
    "a.csv": 'word,n\n"{}",1\nb,2\n',
    "a.jsonl": '{{"word": "{}"}}\n{{"word": "b"}}\n',
    "a.srt": "1\n00:00:01,000 --> 00:00:02,000\n{}\n",
}


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(("language", "encoding", "advised"), NAMED)
def test_the_advice_beside_a_refusal_reads_the_text(language, encoding, advised, name, tmp_path):
    text = FORMS[name].format(TEXTS[language])
    (tmp_path / name).write_bytes(text.encode())
    want = list(ur.read(tmp_path / name))
    assert TEXTS[language] in str(want)
    (tmp_path / name).write_bytes(text.encode(encoding))
    with pytest.raises(DataError, match=rf"encoding={advised!r}") as caught:
        list(ur.read(tmp_path / name))
    assert str(tmp_path / name) in str(caught.value)
    assert list(read_data(str(tmp_path / name), encoding=advised)) == want


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_texts_with_a_mark_need_no_name(encoding, tmp_path):
    for language, text in TEXTS.items():
        (tmp_path / "a.txt").write_bytes(text.encode(encoding))
        assert list(ur.read(tmp_path / "a.txt")) == [{"text": text}], language


@pytest.mark.parametrize(
    "text", ["Быть или не быть, вот в чём вопрос", "أكون أو لا أكون تلك هي المسألة", "להיות או לא להיות"]
)
def test_other_alphabets_are_not_taken_for_latin_or_east_asian(text):
    encoding = next(name for name in ("cp1251", "cp1256", "cp1255") if _fits(text, name))
    assert likely_encoding(text.encode(encoding)) == ""


def _fits(text, encoding):
    return text.encode(encoding, errors="replace").count(b"?") == text.count("?")


@pytest.mark.parametrize("cut", [0, 1, 7])
@pytest.mark.parametrize("encoding", ["cp932", "gb18030", "iso2022_jp"])
def test_lazy_texts_of_several_bytes_lose_no_letter_at_a_block(encoding, cut, tmp_path, monkeypatch):
    monkeypatch.setattr("unrolled.data.utf8_copies._BLOCK_BYTES", 5)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    text = "x" * cut + "これはペンです\nかな\n" * 20
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    documents = ur.read_text(tmp_path / "a.txt", kind="lines", encoding=encoding)
    assert [row["text"] for row in documents] == text.split()
    first, last = documents.split(0.3)
    assert [row["text"] for row in first] + [row["text"] for row in last] == text.split()


def test_a_wrong_name_is_refused_with_the_place_and_leaves_nothing_behind(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "folder"))
    (tmp_path / "a.txt").write_bytes(b"abc\xff\xff")
    message = "a.txt: expected text in shift_jis, received other bytes at position 3; choose another encoding="
    with pytest.raises(DataError, match=re.escape(message)):
        ur.read_text(tmp_path / "a.txt", encoding="shift_jis")
    assert list((tmp_path / "folder").iterdir()) == []
