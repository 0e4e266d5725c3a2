"""What a newcomer reads first: the order of the commands, hints, texts without Python's names, and what to do next."""

import warnings

import polars as pl
import pytest
from typer.testing import CliRunner

from unrolled.cli import main, notes
from unrolled.cli.fit import KINDS, NO_LABELS, TOO_FEW
from unrolled.cli.main import make_app

TERMINAL = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}


def said(*words):
    return CliRunner().invoke(make_app(list(words)), list(words), env=TERMINAL)


@pytest.fixture
def tables(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"text": "good bad"[5 * (row % 2) :][:4], "y": row % 2} for row in range(120)]
    pl.DataFrame(rows).write_csv("texts.csv")
    pl.DataFrame(rows[:20]).write_csv("few.csv")
    pl.DataFrame([{"day": row, "kwh": row % 7} for row in range(60)]).write_csv("days.csv")
    clicks = [{"user": user, "item": "abc"[(user + time) % 3], "time": time} for user in range(20) for time in range(4)]
    pl.DataFrame(clicks).write_csv("clicks.csv")


def test_fit_is_the_first_command():
    listed = [line.split()[1] for line in said("--help").stdout.splitlines() if line.startswith("│ ")]
    assert listed.index("fit") < listed.index("evaluate")


@pytest.mark.parametrize("task", KINDS)
def test_the_name_of_a_task_alone_is_answered_with_the_whole_command(task):
    found = said(task, "data.csv")
    assert found.exit_code == 2
    assert f"Did you mean 'fit {task}'?" in found.output


@pytest.mark.parametrize("task", KINDS)
def test_help_of_a_task_names_the_cells_and_no_parts_of_the_package(task):
    shown = said("fit", task, "--help").stdout
    assert "gru" in shown
    assert "unrolled." not in shown.replace("unrolled.toml", "")
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["classify", "texts.csv", "--text", "text", "--label", "y"], ""),
        (["detect", "days.csv", "--time", "day", "--target", "kwh"], NO_LABELS),
        (["recommend", "clicks.csv", "--time", "time"], ""),
        (["classify", "few.csv", "--text", "text", "--label", "y"], TOO_FEW),
    ],
)
def test_a_run_says_how_it_ended_why_it_has_no_scores_and_what_to_do_next(tables, words, why):
    shown = said("fit", *words, "--out", "model", "--epochs", "1", "--hidden-size", "4").stdout
    assert "trained 1 epoch, " in shown
    assert "; all epochs done" in shown
    assert ("No scores: " + why in shown) if why else ("On held-out data" in shown)
    assert shown.endswith("next: unrolled predict model NEW_DATA\n      unrolled evaluate model TEST_DATA\n")


def test_a_warning_has_no_path_and_no_code(capsys, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", main._show_warning)
        warnings.warn("the times are irregular", stacklevel=1)
    assert capsys.readouterr().err == "warning: the times are irregular\n"


@pytest.mark.parametrize("terminal", [False, True])
def test_sentences_are_broken_on_a_terminal_only_and_rows_of_tables_never(monkeypatch, terminal):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)
    monkeypatch.setenv("COLUMNS", "40")
    row, sentence = "name   " + "1.0  " * 20, "a word " * 20
    broken = notes.on_lines(f"{row}\n{sentence}").splitlines()
    assert broken[0] == row
    assert (max(map(len, broken[1:])) <= 40) is terminal
    assert " ".join(broken[1:]).split() == sentence.split()
