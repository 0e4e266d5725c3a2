"""Formats of sequences: FASTA, FASTQ, subtitles and CoNLL give what stands in the file, and nothing else."""

import gzip

import pytest

import unrolled as ur
from unrolled.errors import DataError, InputError, OptionError

ODD = ("\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")  # str.splitlines would end a line there


def put(folder, name, content):
    path = folder / name
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


# ---- FASTA -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sign", ODD, ids=ascii)
def test_a_description_with_a_rare_line_end_leaves_the_sequence_alone(tmp_path, sign):
    source = ur.read(put(tmp_path, "a.fasta", f">a one{sign}two\nACGT\n>b {sign}\nGG{sign}CC\n"))
    assert [row["sequence"] for row in source] == ["ACGT", f"GG{sign}CC"]
    assert [row["description"] for row in source] == [f"one{sign}two", sign]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=ascii)
@pytest.mark.parametrize("suffix", [".fasta", ".fa", ".fna", ".faa", ".ffn", ".frn", ".fas", ".mpfa", ".FA", ".fa.gz"])
def test_every_suffix_and_line_end_of_fasta_gives_the_same(tmp_path, suffix, end):
    lines = (">one first gene", "ACGT", "AC GT", "", "; remark", "  ", ">two", ">three\tx > y", "TTTT")
    source = ur.read(put(tmp_path, f"a{suffix}", end.join(lines)))
    assert list(source) == [
        {"id": "one", "description": "first gene", "sequence": "ACGTACGT"},
        {"id": "two", "description": "", "sequence": ""},
        {"id": "three", "description": "x > y", "sequence": "TTTT"},
    ]


def test_soft_masked_letters_are_a_choice_and_counted(tmp_path):
    path = put(tmp_path, "a.fa", ">a\nACgtNN\n>b\nacgt*\n")
    table = ur.read_fasta(path)
    assert [row["sequence"] for row in table] == ["ACGTNN", "ACGT"]
    assert table.notes == (
        "1 of 2 sequences ended in *, which is left out",
        "6 of 10 letters were lower case (soft-masked) and are upper case now",
    )
    assert "6 of 10 letters" in repr(table.select([0]))
    kept = ur.read_fasta(path, soft_masked="keep")
    assert [row["sequence"] for row in kept] == ["ACgtNN", "acgt"]
    assert "6 of 10" in kept.notes[1]
    assert ur.read_fasta(put(tmp_path, "b.fa", ">a\nAC*GT-\n")).notes == ()
    with pytest.raises(OptionError, match="soft_masked"):
        ur.read_fasta(path, soft_masked="lower")


# ---- FASTQ -------------------------------------------------------------------------------------------


def test_fastq_gives_qualities_also_over_several_lines_and_where_they_begin_like_a_name(tmp_path):
    source = ur.read(put(tmp_path, "a.fq", "@r1 x\nACG\nT\n+r1 x\n@!\n+I\n\n@r2\n\n+\n\n@r3\nA\n+\n~\n"))
    assert [(row["id"], row["sequence"], row["quality"]) for row in source] == [
        ("r1", "ACGT", [31, 0, 10, 40]),
        ("r2", "", []),
        ("r3", "A", [93]),
    ]
    old = put(tmp_path, "old.fastq", "@r\nAC\n+\n@h\n")
    assert next(iter(ur.read_fastq(old, offset=64)))["quality"] == [0, 40]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (">a\nACGT\n", "line 1.*begins with @"),
        ("@a\nACGT\n@b\nA\n+\n!\n", "line 3.*begins with \\+"),
        ("@a\nACGT\n+\n!!!\n", "line 4.*4 signs.*3"),
        ("@a\nACGT\n+\n!!!!!\n", "line 4.*4 signs.*5"),
        ("@a\nAC\n+b\n!!\n", "line 3.*'a'"),
        ("@a\nAC\n+\n! \x7f\n", "line 4"),
        ("@a\nAC", "end of the file"),
    ],
)
def test_a_bad_fastq_is_one_sentence(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, "a.fastq", text))


# ---- subtitles ---------------------------------------------------------------------------------------

CAPTIONS = [{"start": 1.5, "end": 3.0, "text": "To be,\nor <i>not</i>?"}, {"start": 3661.04, "end": 3662.0, "text": ""}]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.srt", "1\n00:00:01,500 --> 00:00:03,000\nTo be,\nor <i>not</i>?\n\n2\n01:01:01,04 --> 01:01:02,000\n\n"),
        ("a.srt", "00:00:01,500 --> 00:00:03,000 X1:20 Y1:3\nTo be,\nor <i>not</i>?\n01:01:01.040-->01:01:02\n"),
        ("a.srt", "1\n0:0:1,500 --> 0:0:3\nTo be,\nor <i>not</i>?\n2\n1:1:1,040 --> 1:1:2\n"),
        ("a.vtt", "WEBVTT - film\nKind: captions\n\nNOTE by us\n\nSTYLE\n::cue {}\n\n"
                  "00:01.500 --> 00:03.000 align:left\nTo be,\nor <i>not</i>?\n\nlast\n"
                  "01:01:01.040 --> 01:01:02.000\n"),
    ],
)  # fmt: skip
def test_captions_of_any_form_are_the_same_rows(tmp_path, name, text):
    table = ur.read(put(tmp_path, name, text))
    assert list(table) == CAPTIONS
    assert table.notes == ()
    assert list(ur.read(put(tmp_path, name, text.encode("utf-16")))) == CAPTIONS
    assert list(ur.read(put(tmp_path, f"{name}.gz", text.replace("\n", "\r\n")))) == CAPTIONS


def test_lines_outside_of_captions_are_counted_and_bad_times_named(tmp_path):
    text = "00:00:01,500 --> 00:00:03,000\nTo be\n\n2\nor not\n\n00:00:04,0 --> 00:00:05,0\nto be\n"
    table = ur.read(put(tmp_path, "a.srt", text))
    assert [row["text"] for row in table] == ["To be", "to be"]
    assert table.notes == ("2 lines outside of captions are left out, the first is line 4",)
    with pytest.raises(DataError, match=r"line 2.*1x"):
        ur.read(put(tmp_path, "b.srt", "1\n00:00:1x,0 --> 00:00:02,0\nTo be\n"))
    with pytest.raises(DataError, match="at least one line of times"):
        ur.read(put(tmp_path, "c.srt", "To be\n"))


CUE, LATER = "00:00:01.500 --> 00:00:03.000", "00:00:04.000 --> 00:00:05.000"
LINES = {  # as other readers of captions give them
    "blanks at both ends": ("  - To be  \n\tor not ", "  - To be  \n\tor not "),
    "other blanks": ("\u3000To be\u00a0", "\u3000To be\u00a0"),
    "marks": ('<v Bob>To <b>be</b> {\\an8}<font color="#fff">&amp;</font>', None),
    "an arrow": ("a --> b", None),
    "a number": ("42", None),
    "words of blocks": ("To be\nNOTE or\nSTYLE not\nREGION", None),
    "a time": ("To <00:00:02.000>be", None),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("kind", ["srt", "vtt"])
@pytest.mark.parametrize("name", LINES)
def test_the_lines_of_a_caption_are_kept_as_they_are(tmp_path, name, kind, end):
    text, want = LINES[name]
    first = "WEBVTT\n\nNOTE by us --> all\n\nREGION\nid:x\n\n" if kind == "vtt" else "\ufeff1\n"
    whole = f"{first}{CUE} align:left\n{text}\n\n2\n{LATER}\nend\n".replace("\n", end)
    table = ur.read(put(tmp_path, f"a.{kind}", whole))
    assert [row["text"] for row in table] == [text if want is None else want, "end"]
    assert table.notes == ()


def test_a_line_of_blanks_is_part_of_a_caption_of_webvtt_alone(tmp_path):
    text = f"{CUE}\nTo be\n \t\nor not\n\n{LATER}\nend\n"
    assert [row["text"] for row in ur.read(put(tmp_path, "a.vtt", f"WEBVTT\n\n{text}"))] == [
        "To be\n \t\nor not",
        "end",
    ]
    table = ur.read(put(tmp_path, "a.srt", text))
    assert [row["text"] for row in table] == ["To be", "end"]
    assert table.notes == ("1 lines outside of captions are left out, the first is line 4",)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("123:00:01,000", 442801.0), ("00:01.5", 1.5), ("0:0:1", 1.0), ("00:00:01,0625", 1.0625), ("00:00:01:250", 1.25),
     ("00:61:03.123456", 3663.123456)],
)  # fmt: skip
def test_times_of_captions_have_any_number_of_hours_and_decimals(tmp_path, written, seconds):
    table = ur.read(put(tmp_path, "a.srt", f"1\n{written}  -->  999:00:00,000\nTo be\n"))
    assert table.frame["start"].to_list() == [seconds]


# ---- CoNLL -------------------------------------------------------------------------------------------

REST = "\t_" * 8


def test_comments_of_conllu_are_left_out_with_or_without_a_blank_and_with_tabs(tmp_path):
    head = "#sent_id=1\n# text = We\tgo\n#\n#\ttab\t\n"
    source = ur.read(put(tmp_path, "a.conllu", f"{head}1\tWe{REST}\n2\t#{REST}\n\n# newpar\n1\tgo{REST}\n"))
    assert [row["col_1"] for row in source] == [["We", "#"], ["go"]]
    assert ur.read(tmp_path / "a.conllu").columns == [f"col_{place}" for place in range(10)]


def test_ranges_and_empty_nodes_of_conllu_are_a_choice_of_words(tmp_path):
    lines = ("# sent_id = s1", "1\tI", "2-3\tdon't", "2\tdo", "3\tn't", "3.1\tgo", "4\tgo")
    text = "\n".join(line if line.startswith("#") else line + REST for line in lines) + "\n\n"
    path = put(tmp_path, "a.conllu", text + f"1\tyes{REST}\n")
    assert [row["col_1"] for row in ur.read(path)] == [["I", "do", "n't", "go"], ["yes"]]
    surface = ur.read_conll(path, words="surface", comments=["sent_id"])
    assert [row["col_1"] for row in surface] == [["I", "don't", "go"], ["yes"]]
    assert [row["sent_id"] for row in surface] == ["s1", None]
    with pytest.raises(InputError, match="did you mean 'surface'"):
        ur.read_conll(path, words="surfaces")
    with pytest.raises(DataError, match=r"line 2.*'x'"):
        ur.read(put(tmp_path, "b.conllu", f"1\tI{REST}\nx\tgo{REST}\n2\tno{REST}\n"))


def test_conllu_plus_names_its_columns(tmp_path):
    text = "# global.columns = ID FORM UPOS\n# text = x\n1-2\tdon't\t_\n1\tdo\tAUX\n2\tn't\tPART\n"
    assert list(ur.read(put(tmp_path, "a.conllu", text))) == [
        {"ID": ["1", "2"], "FORM": ["do", "n't"], "UPOS": ["AUX", "PART"]}
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG \nrejects VBZ I-VP O\n\nNow RB O O\n",
            [["EU", "rejects"], ["Now"]],
        ),
        (
            "about IN B-PP\n# # B-NP\n2 CD I-NP\n\n# CD B-NP\n\n# sent 3\n5 CD B-NP\n",
            [["about", "#", "2"], ["#"], ["5"]],
        ),
        ("#\tS\n#tag\tS\n", [["#", "#tag"]]),
        ("a\tS\n\n#tag\tS\nb\tN\n", [["a"], ["#tag", "b"]]),
        ("#id 7\na\tS\n#\tS\n\n# text = a\tb\nb\tS\n", [["a", "#"], ["b"]]),
        ("a\xa0b\u2028c X\n\x0b Y\n", [["a\xa0b\u2028c", "\x0b"]]),
        ("a X\r\rb Y\r", [["a"], ["b"]]),
        ("#begin document (x); part 000\na X\n\n#end document\n", [["a"]]),
        ("a  X\nb\t Y\n \t\nc X\n", [["a", "b"], ["c"]]),
    ],
)
def test_words_of_other_conll_formats_are_those_of_the_file(tmp_path, text, words):
    assert [row["col_0"] for row in ur.read(put(tmp_path, "a.conll", text))] == words


def test_a_hash_within_a_sentence_that_lacks_its_label_is_named(tmp_path):
    with pytest.raises(DataError, match=r"line 2.*2 fields.*1"):
        ur.read(put(tmp_path, "a.conll", "a\tX\n#tag\nb\tY\n"))
    with pytest.raises(DataError, match="at most 1,000 fields"):
        ur.read(put(tmp_path, "b.conll", "a\t" * 2000))
