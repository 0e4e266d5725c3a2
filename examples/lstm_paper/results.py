"""Results on disk: one line of JSON for each finished run, so that an interrupted series goes on where it was."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from unrolled.report.whole_files import write_whole


@dataclass(frozen=True)
class Result:
    """How one run ended.

    Args:
        problem: its name.
        cell: which net.
        seed: of weights and sequences.
        solved: whether the criterion was met.
        sequences: trained on until then, or until the run was given up.
        wrong: of `tested` fresh sequences after training.
        tested: how many.
        loss: mean loss on them.
        error: mean error on them.
        limit: sequences after which a run is given up.
        seconds: what it took.
    """

    problem: str
    cell: str
    seed: int
    solved: bool
    sequences: int
    wrong: int
    tested: int
    loss: float
    error: float
    limit: int
    seconds: float

    @property
    def run(self) -> tuple[str, str, int]:
        """Which run it is."""
        return self.problem, self.cell, self.seed


def read(file: Path) -> list[Result]:
    """Every finished run; none where there is no file. A line cut short by a crash is a run that has not finished."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            found.append(Result(**json.loads(line)))
        except json.JSONDecodeError:
            continue
    return found


def add(file: Path, result: Result) -> None:
    """Add a finished run, in place of an older one of the same kind; the file is sorted, and whole at any moment."""
    runs = {one.run: one for one in [*read(file), result]}
    write_whole(file, "".join(json.dumps(asdict(runs[run])) + "\n" for run in sorted(runs)))


def of(results: Iterable[Result], problem: str, cell: str) -> list[Result]:
    """Return the runs of one problem and cell, by seed."""
    return sorted((r for r in results if (r.problem, r.cell) == (problem, cell)), key=lambda r: r.seed)
