"""The page docs/lstm-paper.md: a table of what was published beside what came out here."""

from collections.abc import Sequence
from statistics import median
from textwrap import fill

from lstm_paper.models import CELLS, ONE_STEP
from lstm_paper.problem import Problem
from lstm_paper.problems import PROBLEMS
from lstm_paper.results import Result, of

SEEDS = 5  # runs of each problem and cell that the page asks for
NAMES = {ONE_STEP: "Elman, 1990", "elman": "Elman", "gru": "GRU", "lstm": "LSTM"}

HEAD = """# The LSTM paper's experiments, run anew

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, section 5; and two problems
of S. Bai, J. Z. Kolter and V. Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
Sequence Modeling", 2018, section 4. The table is written by

```console
make lstm-paper                                      # everything: many hours; Ctrl-C, and it goes on the next time
make lstm-paper PAPER="--quick"                      # embedded Reber grammar, adding and temporal order: under an hour
make lstm-paper PAPER="--problems order-2 --seeds 1" # one problem, one seed
```

A cell of the table says in how many runs the criterion was met, after how many training sequences, and how many of
2,560 fresh sequences the net then got wrong (medians of those runs); where it was met in none, after how many sequences
the runs were given up, and what share of the fresh ones was wrong. Where the source reports a loss, so does the table.
"-" has not been run yet.
"""

TAIL = """
## Where this differs from the papers

- One layer of {sizes} units, many more than the paper's nets have, and as many for every cell; a linear read-out
  with a softmax or a plain number in place of sigmoid units. Experiments 2a to 2c read their symbols through a learnt
  embedding of 16 numbers.
- Our LSTM has a forget gate, which the paper's has not. With the usual bias of 1 it forgets within ten steps, and in
  trials solved neither adding nor temporal order. Here the forget gate, and the GRU's update gate, start with the
  biases of C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 2: memories of all
  spans up to the lag. The Elman cell starts from an orthogonal recurrent matrix.
- Adam, learning rate {rates}, in batches of {batches} sequences, gradients clipped to norm 1, full
  back-propagation through time. The paper learns online, by gradient descent after each sequence, with a truncated
  gradient. Numbers of sequences therefore show an order of magnitude, not who is faster.
- Criteria are the paper's. A training sequence is judged before the update it leads to. Where the paper also asks for
  a mean training error below 0.01 (adding) or 0.1 (temporal order), that follows from every single error being small.
  What must be right on fixed or fresh sequences is tried when the last 64 (Reber: 256) training sequences were right.
- The paper has no runs of an Elman net beyond the embedded Reber grammar, where it quotes others: such nets were then
  trained with a gradient that looks one step back. "Elman, 1990" is that; "Elman" is the same cell with the whole
  gradient, which was not the rival then and does better.
- Experiment 2a stayed unsolved in our trials: LSTM and GRU learn the 99 symbols that are always the same and not the
  last one, whose loss is one of a hundred that are averaged.
- In experiment 2b only the last symbol counts, as no other can be foreseen.
- Published figures are those of the paper's tables 1 to 3 and 7 to 9, and of the other's table 1. Adding (100 steps)
  and its set-up were checked against public copies; the others are quoted without a second look.
- Experiment 3 (two sequences with noise) is not here.
"""


def page(results: Sequence[Result]) -> str:
    """The whole page, in Markdown."""
    head = ["problem", "set-up and criterion", "published", *NAMES.values()]
    rows = [head, ["---"] * len(head), *(_row(problem, results) for problem in PROBLEMS.values())]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{HEAD}\n{table}\n\n{_progress(results)}\n{_tail()}"


def _progress(results: Sequence[Result]) -> str:
    """How much of the whole has been run, in a sentence."""
    known = [result for result in results if result.problem in PROBLEMS]
    untouched = [name for name in PROBLEMS if name not in {result.problem for result in known}]
    text = f"Runs so far: {len(known)} of {len(PROBLEMS) * len(CELLS) * SEEDS}."
    if untouched:
        text += f" Not run at all yet: {', '.join(untouched)}."
    return fill(text, 120, break_on_hyphens=False)


def _row(problem: Problem, results: Sequence[Result]) -> list[str]:
    cells = [_cell(problem, of(results, problem.name, cell)) for cell in CELLS]
    return [f"`{problem.name}` ({problem.source})", problem.setup, problem.published, *cells]


def _cell(problem: Problem, runs: Sequence[Result]) -> str:
    if not runs:
        return "-"
    solved = [run for run in runs if run.solved]
    text = f"{len(solved)} of {len(runs)}"
    if solved:
        sequences, wrong = (median(getattr(run, name) for run in solved) for name in ("sequences", "wrong"))
        text += f", {sequences:,.0f}, then {wrong:.0f} wrong"
    else:
        wrong = sum(run.wrong for run in runs) / sum(run.tested for run in runs)
        text += f" in {runs[0].limit:,}; {100 * wrong:.0f} % wrong"
    if problem.shows_loss:
        text += f"; loss {median(run.loss for run in runs):.2g}"
    return text


def _tail() -> str:
    def span(name: str) -> str:
        values = sorted({getattr(problem, name) for problem in PROBLEMS.values()})
        return f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"

    return TAIL.format(sizes=span("hidden_size"), rates=span("learning_rate"), batches=span("batch_size"))
