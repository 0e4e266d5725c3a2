"""The LSTM paper's results: a file that survives interruptions, a command that resumes from it, and the page."""

import json
import re
from dataclasses import replace

import pytest
from lstm_paper import __main__ as command
from lstm_paper import results
from lstm_paper.models import CELLS, ONE_STEP
from lstm_paper.page import page
from lstm_paper.problems import PROBLEMS, QUICK
from lstm_paper.results import Result


def some_result(**changes) -> Result:
    return replace(Result("order-2", "lstm", 0, True, 1000, 1, 2560, 0.5, 0.25, 100_000, 3600.0), **changes)


def test_results_come_back_and_a_line_cut_short_counts_as_not_run(tmp_path):
    file = tmp_path / "new" / "results.jsonl"
    assert results.read(file) == []
    results.add(file, some_result())
    with file.open("a") as lines:
        lines.write('{"problem": "order-2", "ce')
    assert results.read(file) == [some_result()]
    results.add(file, some_result(seed=1))
    assert results.read(file) == [some_result(), some_result(seed=1)]


def test_the_file_of_results_is_sorted_and_holds_each_run_once(tmp_path):
    file = tmp_path / "results.jsonl"
    for result in (some_result(seed=1), some_result(problem="adding-100"), some_result(), some_result(wrong=7)):
        results.add(file, result)
    assert results.read(file) == [some_result(problem="adding-100"), some_result(wrong=7), some_result(seed=1)]
    assert [path.name for path in tmp_path.iterdir()] == ["results.jsonl"]


def test_the_command_runs_what_is_missing_and_skips_what_is_done(tmp_path, monkeypatch, capsys):
    ran = []

    def run(problem, cell, seed):
        ran.append((problem.name, cell, seed))
        return some_result(cell=cell, seed=seed)

    monkeypatch.setattr(command, "run", run)
    words = [
        "--problems",
        "order-2",
        "--cells",
        "lstm",
        "gru",
        "--out",
        str(tmp_path / "r"),
        "--page",
        str(tmp_path / "p"),
    ]
    assert command.main([*words, "--seeds", "1"]) == 0
    assert command.main([*words, "--seeds", "2"]) == 0
    assert ran == [("order-2", cell, seed) for seed in (0, 1) for cell in ("lstm", "gru")]
    assert "2 runs to go, 2 done before" in capsys.readouterr().out
    assert "2 of 2, 1,000, then 1 wrong" in (tmp_path / "p").read_text()


@pytest.mark.parametrize("raises", [False, True])
def test_an_interrupted_run_leaves_the_finished_ones_and_no_result_of_its_own(tmp_path, monkeypatch, raises):
    def run(problem, cell, seed):
        if seed and raises:
            raise KeyboardInterrupt
        return None if seed else some_result(cell=cell)

    monkeypatch.setattr(command, "run", run)
    words = ["--problems", "order-2", "--cells", "lstm", "--seeds", "3", "--out", str(tmp_path / "r")]
    assert command.main([*words, "--page", str(tmp_path / "p")]) == 130
    assert [json.loads(line)["seed"] for line in (tmp_path / "r").read_text().splitlines()] == [0]


# ---- the page ----------------------------------------------------------------------------------------


def test_the_page_says_what_was_solved_what_was_not_and_what_has_not_been_run():
    runs = [some_result(seed=seed, sequences=1000 * (seed + 1)) for seed in range(3)]
    failed = [some_result(cell="elman", seed=seed, solved=False, wrong=1280) for seed in range(2)]
    rows = {row.split("`")[1]: row for row in page([*runs, *failed]).splitlines() if row.startswith("| `")}
    assert list(rows) == list(PROBLEMS)
    cells = [cell.strip() for cell in rows["order-2"].split("|")][1:-1]
    assert cells[3:] == ["-", "0 of 2 in 100,000; 50 % wrong", "-", "3 of 3, 2,000, then 1 wrong"]
    assert rows["order-3"].count(" - ") == len(CELLS)


def test_the_page_says_how_much_has_not_been_run():
    written = page([some_result()])
    assert f"Runs so far: 1 of {5 * len(PROBLEMS) * len(CELLS)}, 1.0 hours on one thread." in written
    missing = re.search(r"Not run at all yet: ([^.]*)\.", written)
    assert missing is not None
    assert re.split(r",\s", missing[1]) == [name for name in PROBLEMS if name != "order-2"]


def test_the_page_in_docs_is_written_from_the_results_beside_it():
    known = results.read(command.DOCS / "lstm-paper.jsonl")
    assert [result.run for result in known] == sorted({result.run for result in known})
    assert (command.DOCS / "lstm-paper.md").read_text(encoding="utf-8") == page(known)


def test_the_quick_problems_exist():
    assert set(QUICK) <= set(PROBLEMS)
    assert ONE_STEP in CELLS
