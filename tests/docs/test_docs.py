"""What the documentation shows is true: its Python runs, its commands and options exist, its links lead somewhere.

Every python block of a file runs, in order, in one namespace and an empty folder. What a block needs first (a small
CSV file, say) goes into a block inside an HTML comment above it: it runs too, and readers do not see it. A comment
directly above a block changes what happens to it:

    <!-- no-run: reason -->   a python block is only compiled
    <!-- run -->              the commands of a console block are run as well, in the same folder

A command runs inside this process, unless it needs a shell; as a process of its own, which first imports everything
again, it runs in `make test-slow`.
"""

import os
import re
import shlex
import subprocess
import sys
from doctest import DocTestParser, DocTestRunner
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from unrolled.cli.main import make_app

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
UNROLLED = (sys.executable, "-c", "from unrolled.cli.main import main; main()")
WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}

FENCE = re.compile(
    r"^(?:<!-- *(?P<mark>no-run|run)(?:: *(?P<reason>[^\n]*?))? *-->\n)?"
    r"```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """One fenced block of a Markdown file."""

    language: str
    code: str
    line: int  # where the code starts, from 0
    mark: str
    reason: str


def blocks_of(text: str) -> list[Block]:
    return [
        Block(m["language"], m["code"], text[: m.start("code")].count("\n"), m["mark"] or "", m["reason"] or "")
        for m in FENCE.finditer(text)
    ]


def commands_of(code: str) -> list[str]:
    """The commands of a console block, without prompts, output and line continuations."""
    lines = code.replace("\\\n", " ").splitlines()
    if any(line.startswith("$ ") for line in lines):
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line.startswith(("unrolled ", "make "))]


def programs_of(command: str) -> list[list[str]]:
    """The programs of a shell line, each a list of words, without redirections."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = "#"
    programs: list[list[str]] = [[]]
    redirected = False
    for word in lexer:
        if word in ("&&", "||", "|", ";"):
            programs.append([])
        elif word in ("<", ">", ">>"):
            redirected = True
        elif redirected:
            redirected = False
        else:
            programs[-1].append(word)
    return programs


WITH_COMMANDS = [path for path in FILES if any(b.mark == "run" for b in blocks_of(path.read_text(encoding="utf-8")))]


def label(path: Path) -> str:
    """The path of a page in the repository."""
    return path.relative_to(ROOT).as_posix()


@cache
def help_of(*path: str) -> str:
    """What `unrolled PATH --help` prints."""
    words = [*path, "--help"]
    done = CliRunner().invoke(make_app(words), words, env=WIDE)
    assert done.exit_code == 0, f"unrolled {' '.join(words)}: {done.output}"
    return done.stdout


def check_unrolled(words: list[str]) -> None:
    """The command exists, and so does every option given to it."""
    path: list[str] = []
    rest = words
    while rest and not rest[0].startswith("-") and (not path or "COMMAND [ARGS]" in help_of(*path)):
        path, rest = [*path, rest[0]], rest[1:]
    options = [word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)]
    for option in options:
        found = re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_of(*path))
        assert found, f"unrolled {' '.join(path)} has no option {option}"


def run_python(path: Path, block: Block, namespace: dict[str, Any]) -> None:
    if block.code.lstrip().startswith(">>>"):
        test = DocTestParser().get_doctest(block.code, namespace, path.name, str(path), block.line)
        report: list[str] = []
        result = DocTestRunner(verbose=False).run(test, out=report.append, clear_globs=False)
        assert result.failed == 0, "".join(report)
        namespace.update(test.globs)
        return
    source = "\n" * block.line + block.code  # so that a traceback names the line of the file
    exec(compile(source, str(path), "exec"), namespace)


def run_console(block: Block, folder: Path) -> None:
    """Run the commands of a block inside this process, in the working directory; those for a shell in `folder`."""
    for command in commands_of(block.code):
        words = shlex.split(command)
        if words[0] == "unrolled" and len(programs_of(command)) == 1 and not set(words) & {"<", ">", ">>", "2>"}:
            done = CliRunner().invoke(make_app(words[1:]), words[1:], env=WIDE)
            assert done.exit_code == 0, f"{command}\n{done.output}\n{done.exception!r}"
        else:
            run_shell([command], folder)


def run_shell(commands: list[str], folder: Path) -> None:
    """Run commands in one shell, in which `unrolled` starts a process."""
    function = f'unrolled() {{ {shlex.join(UNROLLED)} "$@"; }}'
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join([function, *commands])],
        cwd=folder,
        env={**os.environ, **WIDE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"


def run_page(path: Path, folder: Path, shell: bool = False) -> None:
    """Run the blocks of a page in order, in one namespace; with `shell` its commands are processes."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(path.read_text(encoding="utf-8")):
        if block.language == "python" and block.mark == "no-run":
            assert block.reason, f"{path.name}:{block.line}: say why this block does not run"
            compile(block.code, str(path), "exec")
        elif block.language == "python":
            run_python(path, block, namespace)
        elif block.mark == "run" and shell:
            run_shell(commands_of(block.code), folder)
        elif block.mark == "run":
            run_console(block, folder)


@pytest.mark.parametrize("path", FILES, ids=label)
def test_the_code_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_COMMANDS, ids=label)
def test_the_commands_run_as_processes(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page(path, tmp_path, shell=True)


@pytest.mark.parametrize("path", FILES, ids=label)
def test_the_commands_exist(path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for block in blocks_of(path.read_text(encoding="utf-8")):
        if block.language in ("", "console", "bash", "sh", "text"):
            for words in (words for command in commands_of(block.code) for words in programs_of(command) if words):
                if words[0] == "unrolled":
                    check_unrolled(words[1:])
                elif words[0] == "make":
                    named = {word for word in words[1:] if "=" not in word and not word.startswith("-")}
                    assert named <= targets, f"make has no target {named - targets}"


@pytest.mark.parametrize("path", FILES, ids=label)
def test_the_links_lead_somewhere(path):
    text = re.sub(FENCE, "", path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


def test_the_readme_shows_python_and_a_command_that_run():
    blocks = blocks_of((ROOT / "README.md").read_text(encoding="utf-8"))
    python = [block for block in blocks if block.language == "python"]
    assert python
    assert sum(block.mark == "no-run" for block in python) <= len(python) // 4
    assert any(command.startswith("unrolled ") for block in blocks for command in commands_of(block.code))


# ---- the checks check --------------------------------------------------------------------------------


def test_blocks_are_found_with_their_marks_and_lines():
    text = "# A\n\n```python\nx = 1\n```\n<!-- no-run: needs a GPU -->\n```python\ny\n```\n<!--\n```sh\nz\n```\n-->\n"
    assert blocks_of(text) == [
        Block("python", "x = 1\n", 3, "", ""),
        Block("python", "y\n", 7, "no-run", "needs a GPU"),
        Block("sh", "z\n", 11, "", ""),
    ]


def test_commands_are_told_from_their_output():
    assert commands_of("$ unrolled info m\nunrolled 0.1\n$ ls\n") == ["unrolled info m", "ls"]
    assert commands_of("unrolled fit language \\\n  a.txt\naccuracy 0.9\n") == ["unrolled fit language    a.txt"]


def test_programs_of_a_pipeline_lose_their_redirections():
    line = 'unrolled predict m new.csv < a.csv > b.csv && unrolled generate bard --prompt "ROMEO:"  # a remark'
    assert programs_of(line) == [
        ["unrolled", "predict", "m", "new.csv"],
        ["unrolled", "generate", "bard", "--prompt", "ROMEO:"],
    ]


def test_a_failing_block_is_reported_with_the_line_of_its_file():
    with pytest.raises(ZeroDivisionError) as caught:
        run_python(Path("a.md"), Block("python", "x = 1\n1 / 0\n", 10, "", ""), {})
    assert caught.traceback[-1].lineno == 11
    with pytest.raises(AssertionError, match="Expected"):
        run_python(Path("a.md"), Block("python", ">>> 1 + 1\n3\n", 0, "", ""), {})
