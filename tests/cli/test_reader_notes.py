"""Every command that reads data says on standard error what the reader changed or left out."""

import io
from contextlib import redirect_stderr

import pytest

from unrolled.cli.main import make_app
from unrolled.cli.reading import read_data
from unrolled.errors import InputError

NOTE = "note: 32 of 128 letters were lower case (soft-masked) and are upper case now"


def call(*words):
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def genes(tmp_path_factory):
    path = tmp_path_factory.mktemp("notes") / "genes.fasta"
    path.write_text("".join(f">g{n} {'ab'[n % 2]}\n{('ACGt', 'TTGa')[n % 2]}\n" for n in range(32)))
    return path


@pytest.fixture(scope="module")
def fitted(genes):
    """A model's folder, and what was said on standard error while it was made."""
    folder, said = genes.parent / "model", io.StringIO()
    options = ["--epochs", "1", "--hidden-size", "4", "--validation", "0.3"]
    with redirect_stderr(said):
        call("fit", "classify", genes, "--characters", "sequence", "--label", "description", "--out", folder, *options)
    return folder, said.getvalue()


def test_fit_says_what_the_reader_changed(fitted):
    assert fitted[1].count(NOTE) == 1


@pytest.mark.parametrize("verb", ["evaluate", "predict", "check", "inspect"])
def test_every_other_verb_says_what_the_reader_changed(verb, fitted, genes, capsys):
    if verb == "inspect":  # which refuses this row after the reading, and so draws nothing
        with pytest.raises(InputError):
            call(verb, fitted[0], genes, "--row", "99")
    else:
        call(verb, fitted[0], genes)
    shown = capsys.readouterr()
    assert shown.err.count(NOTE) == 1
    assert "soft-masked" not in shown.out


def test_notes_of_several_files_name_the_file(tmp_path, capsys):
    for name in "ab":
        (tmp_path / f"{name}.fasta").write_text(">g\nAc\n")
    read_data(str(tmp_path / "*.fasta"))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1].rpartition("/")[2] for line in lines] == ["a.fasta", "b.fasta"]


def test_a_table_without_notes_says_nothing(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("a\n1\n")
    read_data(str(tmp_path / "a.csv"))
    assert capsys.readouterr().err == ""
