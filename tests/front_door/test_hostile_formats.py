"""Odd and damaged files of every format of text: the right values, or one sentence that names the line."""

import warnings
from pathlib import Path

import pytest

import unrolled as ur
from unrolled.errors import DataError


def conllu(*words):
    return "".join("\t".join([str(number), form, *"_" * 8]) + "\n" for number, form in words)


TS = "@univariate true\n@classLabel true a b\n@data\n"
TSF = "@attribute series_name string\n@attribute start_timestamp date\n@frequency daily\n@data\n"
YEARLY = TSF.replace("daily", "yearly")
ARFF = "@relation r\n@attribute x numeric\n@attribute c {up, 'far down'}\n@data\n"
BATCH = "@relation r\n@attribute b relational\n{}@end b\n@data\n"
CUE = "00:00:01,000 --> 00:00:02,000\n"

# each: a file, and the values of its rows, or words of the sentence that refuses it
CASES = {
    "a.conllu": {
        conllu((1, "a"), (2, "b"), (1, "c")): "line 3: expected a number above 2.*blank line missing",
        conllu((1, "a"), (1, "b")): "line 2: expected a number above 1",
        conllu((2, "a"), (1, "b")): "line 2: expected a number above 2",
        conllu(("2-1", "ab"), (1, "a"), (2, "b")): "line 1: expected a range such as 1-2, received '2-1'",
        conllu((1, "a"), ("x", "b")): "line 2: expected the number of a word",
        conllu((1, "a")) + "2\tb\n": "line 2: expected 10 fields, received 2",
        conllu((1, "a")) + "\u00a0\n" + conllu((1, "b")): "line 2: expected 10 fields, received 1",
        conllu(("0.1", "e"), (1, "a"), ("1.1", "e"), ("2-3", "bc"), (2, "b"), (3, "c")): [["a", "b", "c"]],
        conllu((1, "New York"), (2, "#"), (3, "a\x0cb")): [["New York", "#", "a\x0cb"]],
        "\ufeff# text = a\r\n" + conllu((1, "a"))[:-1] + "\r\n \t\r\n" + conllu((1, "b"))[:-1]: [["a"], ["b"]],
    },
    "a.ts": {
        TS + " 1 , 2 : a \n#x\n3,4:B\n": [([1, 2], "a"), ([3, 4], "b")],
        TS + "1,,2,?:a\n:b\n": [([1, None, 2, None], "a"), ([], "b")],
        TS.upper() + "1:A\n": [([1], "A")],
        TS + "1,2:c\n": "line 4: expected a label that @classLabel names: a, b",
        TS + "1,2\n": "line 4: expected a label after the last colon",
        TS + "1,2:a:\n": "line 4: expected a label after the last colon",
        TS + "1 2 3:a\n": "line 4: expected a number, received '1 2 3'",
        TS + "1,2:a\n1,2:3,4:a\n": "line 5: expected 1 channels, received 2",
        TS + "1_0,2:a\n": "line 4: expected a number, received '1_0'",
        TS + "1,inf:a\n": "line 4: expected a number, received 'inf'",
        "@data\n1,2:a\n": "line 2: expected a number, received 'a'",
    },
    "a.tsf": {
        TSF + " A : 2024-02-28 00-00-00 : 1 , ? \n": [("A", "2024-02-28", 1), ("A", "2024-02-29", None)],
        TSF + "A::1\n": [("A", 0, 1)],
        YEARLY + "A:2024-02-29 00-00-00:1,2\n": [("A", "2024-02-29", 1), ("A", "2025-02-28", 2)],
        TSF + "A:2024-01-01 00:00:00:1\n": "line 5: expected 2 attributes.*received 4 colons",
        TSF + "A:2024-13-01 00-00-00:1\n": "line 5: expected a date",
        TSF + "A::1\nA::2\n": "another series_name for each series, received two of 'A'",
        TSF + "A::1,x\n": "line 5: expected a number, received 'x'",
        TSF.replace("daily", "fortnightly") + "A::1\n": "line 3: expected a frequency.*received fortnightly",
        YEARLY + "A:2024-01-01 00-00-00:" + "1," * 9000 + "1\n": "times before the year 9999.*'A'",
        YEARLY + "A:2024-01-01 00-00-00:" + "1," * 400_000: "times before the year 9999",
        "A::1\n" + TSF: "line 1: expected a comment",
    },
    "a.arff": {
        ARFF + " 1 , up % as it seems\n?,?\n2,'far down'\n": [(1, "up"), (None, None), (2, "far down")],
        ARFF + "1\tup\n2 up\n": [(1, "up"), (2, "up")],
        ARFF.upper() + "1,UP\n": [(1, "UP")],
        ARFF + "1,down\n": "line 5: expected a value that @attribute c names: far down, up, received 'down'",
        ARFF + "{0 1}\n": "line 5: .*received a sparse row",
        ARFF + "1,up,{2}\n": "line 5: expected 2 values, received 3",
        ARFF + "1,'up\n": "line 5: expected values between commas, with quotes that end",
        ARFF + '"1,5",up\n': "line 5: expected a number, received '1,5'",
        "@attribute t1 numeric\n@attribute t2 numeric\n@data\n1,?\n": [([1, None],)],
        "@attribute t2 numeric\n@attribute t1 numeric\n@data\n1,2\n": [(1, 2)],
        "@attribute t1 numeric\n@attribute t3 numeric\n@data\n1,2\n": [(1, 2)],
        BATCH.format("@attribute v1 numeric\n") + "'1\\n2\\n3'\n'4'\n": [([1, 2, 3],), ([4],)],
        BATCH.format("@attribute v1 numeric\n@attribute v2 numeric\n") + "'1,2\\n3,4'\n": [([1, 2], [3, 4])],
        "@attribute s string\n@data\n'it\\'s, \"so\"'\n''\n": [('it\'s, "so"',), ("",)],
    },
    "a.fasta": {
        "\ufeff> a  b c \r\nAC GT\r\n\r\n>b\r\n;x\r\nA-*\r\n": [("a", "b c", "ACGT"), ("b", "", "A-")],
        ">\n>a >b\nAC*GT\n": [("", "", ""), ("a", ">b", "AC*GT")],
        ">sp|P1|X OS=Homo\tsapiens\nMKV*": [("sp|P1|X", "OS=Homo\tsapiens", "MKV")],
        "ACGT\n>a\nAC\n": "line 1: expected a line that begins with >, received ACGT",
        "@a\nAC\n+\n!!\n": "line 1: expected a line that begins with >",
        "\n\n": "at least one row",
    },
    "a.fastq": {
        "@a b\r\nAC\r\nG\r\n+a b\r\n@+\r\n!\r\n\r\n": [("a", "b", "ACG", [31, 10, 0])],
        "@b\n\n+\n\n@c\nA\n+\n!\n": [("b", "", "", []), ("c", "", "A", [0])],
        "@a\nA.n\n+\n!!!": [("a", "", "A.n", [0, 0, 0])],
        "@a\nAC\n+\n!\n@b\nG\n+\n!\n": "line 5: expected 2 signs, one for each letter",
        "@a\nAC\n+\n!!!\n": "line 4: expected 2 signs, one for each letter, received 3",
        "@a\nAC\n+b\n!!\n": "line 3: expected . alone, or with the name 'a'",
        "@a\nAC\n+": "line 3: expected 2 signs",
        ">a\nAC\n": "line 1: expected a line that begins with @, received '>a'",
        "@a\nAC\n+\n! \n": "line 4: expected 2 signs",
    },
    "a.srt": {
        "\ufeff7\r\n" + CUE.replace("\n", "\r\n") + "- A -\r\n": [(1, 2, "- A -")],
        CUE + "a\n\n" + CUE.replace("01", "61"): [(1, 2, "a"), (61, 2, "")],
        "1\n-" + CUE + "a\n": "line 2: expected times",
        "1\n00:00:01,000 -> 00:00:02,000\na\n": "at least one line of times",
        "1\n00:00:0x,000 --> 00:00:02,000\na\n": "line 2: expected times.*0x",
    },
    "a.jsonl": {
        '\ufeff{"a":1}\r\n\r\n {"a":2.5} \n': [(1,), (2.5,)],
        '{"a":1}\n{"a":"x"}\n{"a":null}\n{}\n': [("1",), ("x",), (None,), (None,)],
        '{"a":"x\u2028y"}\n': [("x\u2028y",)],
        '[{"a":1}]\n': "line 1: expected a JSON object, received list.*read_json",
        '{\n"a": 1\n}\n': "line 1: expected JSON.*read_json",
        '{"a":1}\n{"a":': "line 2: expected JSON",
        '{"a":1},\n': "line 1: expected JSON, received something else at column 8",
        "{'a':1}\n": "line 1: expected JSON",
        '{"a":[1]}\n{"a":1}\n': "column 'a': expected values of one kind.*row 1",
        '{"a":' + "[" * 5000 + "]" * 5000 + "}": "line 1: expected JSON",
    },
    "a.json": {
        '\ufeff[{"a":1},{"b":2}]': [(1, None), (None, 2)],
        '{"n":1,"rows":[{"a":1}]}': [(1,)],
        '[[1,2],[3]]': [([1, 2],), ([3],)],
        '{"a":[1,2],"b":["x"]}': "columns of one length",
        '[{"a":1},2]': "a record in every row, received int in row 1",
        '[{"a":1},\n{]': "line 2: expected JSON",
        '{"x":[{"a":1}],"y":[{"a":2}]}': "received several: 'x', 'y'; choose one with field='x'",
        "[]": "at least one",
        "// x\n[]": "line 1: expected JSON",
        "[" * 5000 + "]" * 5000: "expected JSON",
    },
    "a.csv": {
        "a,b\n\n1,2\n   \n,\n3,4\n\n": [(1, 2), (3, 4)],
        "a, b\n1, 2\n3, 4\n": [(1, 2), (3, 4)],
        "a,b\n 1 ,\t2\n": [(1, 2)],
        "a,b\n007 , 2\n 012, 3\n": [("007 ", 2), (" 012", 3)],
        '"a","b"\r\n"x,1","say ""hi"""\r\n"y\nz",\r\n': [("x,1", 'say "hi"'), ("y\nz", None)],
        "sep=;\na;b\n1;2\n": [(1, 2)],
        "a,b\r1,x\x0by\r": [(1, "x\x0by")],
        "a\n1\n\n3\n\n": [(1,), (None,), (3,)],
        "a\nx\n  \ny\n": [("x",), ("y",)],
        "a,b,c\n1,2\n": [(1, 2, None)],
        "a,b\n1,2,3\n": "line 2: expected 2 values, as in the first line, received 3",
        '# x\na,b\n1,2\n': "line 2: expected 1 values",
        'a,b\nx,1\n5" pipe,2\n6" pipe,3\n': "line 3: expected quotes around whole values, received '5\" pipe,2'",
        'a,b\nx,1\n"y,2\nz,3\n': "line 3: expected quotes around whole values",
        "a,b\n": "at least one row",
    },
    "a.tsv": {
        'a\tb\n"x\t1\n\t\n y"\t 2\n': [('"x', 1), (' y"', 2)],
        "a\tb\n1\n": [(1, None)],
        "a\tb\n1\t2\t3\n": "line 2: expected 2 values",
    },
}  # fmt: skip
ALL = [(name, number, text) for name, texts in CASES.items() for number, text in enumerate(texts)]


@pytest.mark.parametrize(("name", "number", "text"), ALL, ids=[f"{name}-{number}" for name, number, _ in ALL])
def test_an_odd_file_has_the_right_values_or_is_refused_with_its_line(name, number, text, tmp_path):
    want = CASES[name][text]
    path = tmp_path / name
    path.write_bytes(text.encode())
    if isinstance(want, str):
        with pytest.raises(DataError, match=want) as caught:
            ur.read(path)
        assert "\n" not in str(caught.value)
        return
    table = ur.read(path)
    rows = table.frame.rows()
    if name == "a.conllu":
        rows = [row[1] for row in rows]
    if name == "a.tsf":
        rows = [(row[0], str(row[1])[:10] if not isinstance(row[1], int) else row[1], row[2]) for row in rows]
    assert rows == want


UCR = {
    "1\t.5\t\t2\n-1\tNaN\t1\t \n": [([0.5, None, 2], "1"), ([None, 1], "-1")],
    "  1.0000000e+00   5.0e-1 7e-1\n": [([0.5, 0.7], "1")],
    "1, 2,, 3\n": [([2, None, 3], "1")],
    "NaN\t1\n?\t2\n1.5\t3\n": [([1], None), ([2], None), ([3], "1.5")],
    "\t1\t2\n": "line 1: expected a label and values",
    "1\t2,5\t3,5\n": "line 1: expected a number, received '2,5'",
    "1\n": "line 1: expected a label and values",
    "1;2;3\n": "line 1: expected a label and values",
    "label\tv1\n1\t2\n": "line 1: expected a number, received 'v1'",
}


@pytest.mark.parametrize("text", UCR)
def test_a_table_of_the_ucr_keeps_empty_places(text):
    if isinstance(UCR[text], str):
        with pytest.raises(DataError, match=UCR[text]):
            ur.read_ucr(text.encode())
    else:
        assert ur.read_ucr(text.encode()).frame.rows() == UCR[text]


def test_separators_of_several_signs_are_kept_within_quotes():
    table = ur.read_csv(b'a::"b::c"\n"x::y"::1\nz::2\n', separator="::")
    assert table.columns == ["a", "b::c"]
    assert table.frame.rows() == [("x::y", 1), ("z", 2)]


def test_signs_and_qualities_that_hardly_belong_there_are_said():
    assert ur.read_fasta(b">a\n1 AC>T\n").notes == ("2 signs that are no letters are kept: '1', '>'",)
    assert ur.read_fasta(b">a\nAC-.*?T\n").notes == ()
    assert "offset=64" in ur.read_fastq(b"@a\nAC\n+\nhB\n").notes[0]
    assert ur.read_fastq(b"@a\nAC\n+\nJJ\n").notes == ur.read_fastq(b"@a\nAC\n+\n~~\n").notes == ()


def test_the_cases_cover_every_format_of_text_with_lines():
    names = {Path(name).suffix for name in CASES}
    assert names >= {".conllu", ".ts", ".tsf", ".arff", ".fasta", ".fastq", ".srt", ".jsonl", ".json", ".csv", ".tsv"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(ALL) > 90
