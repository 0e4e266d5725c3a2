"""The commit that `make test` last passed on, kept in `.venv/.tested`.

    python tools/tested.py begin    before the checks: note what is about to be tested
    python tools/tested.py pass     after them: write it down
    python tools/tested.py show     whether the current commit was tested; exits with 1 where it was not

The file holds one line: the commit, 40 hexadecimal digits, and ` dirty` after it where the tree had changes that are in
no commit, or where it changed while the checks ran. A copy without git, such as an unpacked sdist, has no commit: that
is said, and nothing is written.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIRTY = " dirty"


def state_of(root: Path) -> str:
    """Return the commit of a folder, with ` dirty` after it where something is not in it; "" without git."""
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root.resolve():  # a copy inside another project's checkout has no commit
        return ""
    commit = _git(root, "rev-parse", "HEAD")
    return commit and commit + (DIRTY if _git(root, "status", "--porcelain") != "" else "")


def _git(root: Path, *words: str) -> str | None:
    """Return what git prints, without blanks at the ends; None where it fails or is not there."""
    try:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if not done.returncode else None


class Record:
    """The files in `.venv` that say what is tested and what was.

    Args:
        root: the project's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.testing = root / ".venv" / ".testing"
        self.tested = root / ".venv" / ".tested"

    def begin(self) -> None:
        """Note what the checks run on; what is tested again counts as tested once it has passed again."""
        state = state_of(self.root) or ""
        self.testing.write_text(state, encoding="utf-8")
        if self._read(self.tested) == state:
            self.tested.unlink(missing_ok=True)

    def passed(self) -> str:
        """Write down what the checks have passed on, and say it."""
        before, after = self._read(self.testing), state_of(self.root) or ""
        self.testing.unlink(missing_ok=True)
        if not after:
            return "passed; no commit is written down, as this is no git checkout"
        commit = after.removesuffix(DIRTY)
        state = after if before == after else commit + DIRTY
        temporary = self.tested.with_suffix(".new")
        temporary.write_text(state + "\n", encoding="utf-8")
        temporary.replace(self.tested)
        return f"passed on {state}"

    def show(self) -> tuple[str, bool]:
        """Whether the current commit was tested, as a sentence and as a truth."""
        state, tested = state_of(self.root), self._read(self.tested)
        if not state:
            return "no git checkout: there is no commit to have been tested", False
        if not tested:
            return f"not tested: {state}; no commit was, in this .venv", False
        if state == tested and not state.endswith(DIRTY):
            return f"tested: {state}", True
        return f"not tested: {state}; the last that passed is {tested}", False

    @staticmethod
    def _read(path: Path) -> str:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def main(words: list[str]) -> int:
    """Do what the first word says; the exit code."""
    record = Record(ROOT)
    match words:
        case ["begin"]:
            record.begin()
        case ["pass"]:
            print(record.passed())
        case ["show"]:
            text, good = record.show()
            print(text)
            return 0 if good else 1
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
