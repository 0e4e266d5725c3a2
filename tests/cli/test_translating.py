"""The translator on the command line: fit, predict, evaluate, and one text answered."""

import json
from pathlib import Path

import pytest

from unrolled.cli.main import make_app
from unrolled.errors import OptionError, UnrolledError
from unrolled.tasks.seq2seq.translator import Translator

COUNTED = {"one": "eins", "two": "zwei", "three": "drei"}
THINGS = {"red": "rot", "big": "groß", "new": "neu"}


def call(*words: object) -> None:
    make_app([str(word) for word in words])([str(word) for word in words], standalone_mode=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pairs and a model that has learnt a few words."""
    place = tmp_path_factory.mktemp("translating")
    pairs = [(f"{a} {b}", f"{COUNTED[a]} {THINGS[b]}") for a in COUNTED for b in THINGS] * 12
    (place / "pairs.tsv").write_text("en\tde\n" + "".join(f"{en}\t{de}\n" for en, de in pairs), encoding="utf-8")
    call("fit", "translate", place / "pairs.tsv", "--source", "en", "--target", "de", "--hidden-size", "16",
         "--dropout", "0", "--epochs", "12", "--learning-rate", "0.02", "--out", place / "m")  # fmt: skip
    return place


def test_answers_stand_beside_the_pairs_and_are_scored_beside_baselines(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call("predict", folder / "m", folder / "pairs.tsv")
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == {"en": "one red", "de": "eins rot", "prediction": "eins rot"}
    call("evaluate", folder / "m", folder / "pairs.tsv")
    said = capsys.readouterr().out
    assert "copy of the source" in said
    assert "chrF" in said


def test_options_of_the_search_reach_the_answers_beside_the_pairs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def predicted(*options: str) -> list[str]:
        call("predict", folder / "m", folder / "pairs.tsv", *options)
        return [json.loads(line)["prediction"] for line in capsys.readouterr().out.splitlines()]

    assert all(answer.startswith("neu") for answer in predicted("--prefix", "neu"))
    assert set(predicted("--max-length", "1", "--beam-size", "1")) <= {*COUNTED.values()}
    assert predicted("--length-penalty", "0.6", "--coverage-penalty", "0.1")[0] == "eins rot"
    with pytest.raises(OptionError, match="length_penalty"):
        predicted("--length-penalty", "-1")
    with pytest.raises(OptionError, match="coverage_penalty"):
        predicted("--coverage-penalty", "-1")


def test_one_text_is_answered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("generate", folder / "m", "--prompt", "two big")
    assert capsys.readouterr().out == "zwei groß\n"
    call("generate", folder / "m", "--prompt", "two big", "--length", "1")
    assert capsys.readouterr().out == "zwei\n"


def test_several_answers_come_best_first_with_their_scores(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call("generate", folder / "m", "--prompt", "two big", "--count", "6")
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    scores = [float(score) for score, _ in rows]
    assert rows[0][1] == "zwei groß"
    assert len({text for _, text in rows}) == len(rows) == 6
    assert scores == sorted(scores, reverse=True)


def test_answers_that_are_lists_of_words_are_printed_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Translator(hidden_size=8, dropout=0.0).fit(
        [["one", "two"], ["two"]] * 20, [["eins", "zwei"], ["zwei"]] * 20, epochs=15, learning_rate=0.03, device="cpu"
    )
    model.save(tmp_path / "m")
    call("generate", tmp_path / "m", "--prompt", "one two")
    assert capsys.readouterr().out == "eins zwei\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--prompt: expected what to answer"),
        (("--prompt", "two", "--temperature", "0.5"), "--temperature"),
        (("--prompt", "two", "--top-k", "3"), "--top-k"),
        (("--prompt", "two", "--seed", "0"), "--seed"),
        (("--prompt", "two", "--out", "a.svg"), "--out"),
        (("--prompt", "two", "--length", "0"), "--length: expected an integer >= 1"),
        (("--prompt", "two", "--count", "0"), "--count"),
    ],
)
def test_what_changes_nothing_for_a_translator_is_refused(folder: Path, options: tuple[str, ...], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        call("generate", folder / "m", *options)
    assert said in str(caught.value)


def test_a_table_without_the_named_column_is_refused_by_its_name(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnrolledError, match="fr"):
        call("fit", "translate", folder / "pairs.tsv", "--source", "fr", "--target", "de", "--out", tmp_path / "x")
