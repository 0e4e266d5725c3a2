"""`.venv/.tested` names the commit that the checks passed on, and says so where they passed on something else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = "tools/tested.py"
COMMIT = re.compile(r"[0-9a-f]{40}")


def git(folder: Path, *words: str) -> str:
    settings = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *settings, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def call(folder: Path, word: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, word]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def record_of(folder: Path) -> str:
    return (folder / ".venv" / ".tested").read_text(encoding="utf-8")


def unpacked(folder: Path) -> Path:
    """A copy of the files without git, as an unpacked sdist is."""
    (folder / "tools").mkdir(parents=True)
    (folder / SCRIPT).write_text((ROOT / SCRIPT).read_text(encoding="utf-8"), encoding="utf-8")
    (folder / ".venv").mkdir()
    (folder / ".gitignore").write_text(".venv\n", encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = unpacked(tmp_path / "project")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_pass_writes_the_whole_commit_and_only_that(project: Path) -> None:
    assert call(project, "show").returncode == 1
    assert call(project, "begin").returncode == 0
    assert not (project / ".venv" / ".tested").exists()  # only a pass writes
    assert "passed on " in call(project, "pass").stdout
    assert record_of(project) == git(project, "rev-parse", "HEAD") + "\n"
    assert COMMIT.fullmatch(record_of(project).strip())
    shown = call(project, "show")
    assert shown.returncode == 0
    assert shown.stdout.startswith("tested: ")


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_tree_with_changes_is_marked(project: Path, when: str) -> None:
    extra = project / "new.txt"
    if when == "before":
        extra.write_text("new")
    call(project, "begin")
    extra.write_text("new")
    call(project, "pass")
    assert record_of(project) == git(project, "rev-parse", "HEAD") + " dirty\n"
    assert call(project, "show").returncode == 1


def test_a_commit_made_while_the_checks_ran_is_not_called_tested(project: Path) -> None:
    call(project, "begin")
    git(project, "commit", "-q", "--allow-empty", "-m", "two")
    call(project, "pass")
    assert record_of(project) == git(project, "rev-parse", "HEAD") + " dirty\n"


def test_a_run_that_fails_leaves_what_is_known_of_other_commits_and_takes_back_what_it_said_of_this(
    project: Path,
) -> None:
    call(project, "begin")
    call(project, "pass")
    first = record_of(project)
    git(project, "commit", "-q", "--allow-empty", "-m", "two")
    call(project, "begin")  # and no pass after it
    assert record_of(project) == first
    assert "the last that passed is " + first.strip() in call(project, "show").stdout
    git(project, "checkout", "-q", first.strip())
    call(project, "begin")
    assert not (project / ".venv" / ".tested").exists()


def test_a_fresh_clone_and_a_worktree_have_records_of_their_own(project: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", str(project), "clone")
    git(project, "worktree", "add", "-q", str(tmp_path / "beside"))
    for folder in (tmp_path / "clone", tmp_path / "beside"):
        (folder / ".venv").mkdir()
        call(folder, "begin")
        call(folder, "pass")
        assert record_of(folder) == git(project, "rev-parse", "HEAD") + "\n"
    assert not (project / ".venv" / ".tested").exists()


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "inside another checkout"])
def test_a_copy_without_git_says_so_and_does_not_fail(project: Path, tmp_path: Path, inside: bool) -> None:
    folder = unpacked((project if inside else tmp_path) / "unpacked")
    assert call(folder, "begin").returncode == 0
    done = call(folder, "pass")
    assert done.returncode == 0
    assert "no git checkout" in done.stdout
    assert not (folder / ".venv" / ".tested").exists()
    assert "no git checkout" in call(folder, "show").stdout


def test_make_test_writes_it_last() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^test: ([^#\n]*)##[^\n]*\n((?:\t.*\n)+)", text, re.MULTILINE)
    assert found
    assert found[1].split() == [".testing", "lint", "types", "check-tests"]
    assert found[2].strip() == "@$(BIN)/python tools/tested.py pass"
