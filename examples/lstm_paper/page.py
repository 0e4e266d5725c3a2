"""The page docs/lstm-paper.md: a table of the published results and of our own."""

from collections.abc import Sequence
from statistics import median
from textwrap import fill

from lstm_paper.models import CELLS, ONE_STEP
from lstm_paper.problem import Problem
from lstm_paper.problems import PROBLEMS
from lstm_paper.results import Result, of

SEEDS = 5  # runs of each problem and cell that the page asks for
NAMES = {ONE_STEP: "Elman, 1990", "elman": "Elman", "gru": "GRU", "lstm": "LSTM"}

HEAD = """# Reproducing the experiments of the LSTM paper

S. Hochreiter and J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9(8), 1997, section 5; and two problems
of S. Bai, J. Z. Kolter and V. Koltun, "An Empirical Evaluation of Generic Convolutional and Recurrent Networks for
Sequence Modeling", 2018, section 4. The table is made by

```console
make lstm-paper                                      # everything: about four hours; after Ctrl-C it can be resumed
make lstm-paper PAPER="--quick"                      # embedded Reber grammar, adding, temporal order: five minutes
make lstm-paper PAPER="--problems order-2 --seeds 1" # one problem, one seed
```

A cell of the table says in how many runs the criterion was met, after how many training sequences, and how many of
2,560 test sequences the network then got wrong (medians of those runs). If no run met it, the cell says after how many
sequences the runs were stopped, and what share of the test sequences was wrong. Where the source reports a loss or a
mean error on test sequences, the table does as well. "-" means that it has not been run yet. Every run is a line of
[lstm-paper.jsonl](lstm-paper.jsonl), from which this page is made and from which the command resumes.
"""

TAIL = """
## Differences from the papers

- One layer of {sizes} units, many more than in the paper, and the same number for every cell; a linear output layer
  with a softmax or a plain number instead of sigmoid units. Experiment 2c reads its symbols through a learnt
  embedding of 16 numbers, the others as one-hot vectors.
- Our LSTM has a forget gate; the paper's has none. With the usual bias of 1 it forgets within ten steps, and in
  trials solved neither adding nor temporal order. Here the forget gate, and the GRU's update gate, start with the
  biases of C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018, section 2: memories of all
  spans up to the lag. The Elman cell starts from an orthogonal recurrent matrix.
- Adam, learning rate {rates}, in batches of {batches} sequences, gradients clipped to norm 1, full
  back-propagation through time. The paper learns online, by gradient descent after each sequence, with a truncated
  gradient. The numbers of sequences are therefore comparable only in their order of magnitude.
- Runs are stopped earlier than in the paper, which tries up to 5,000,000 sequences: where a network failed, the table
  gives the number. "0 of 5" means that this network, in this set-up, failed within them, not that none can succeed.
- The criteria are the paper's. A training sequence is judged before the update it leads to. Where the paper requires a
  mean training error too, ours is that of the same 2,000 sequences, the error of a sequence being that of its worst
  output. Criteria on fixed or new sequences are tested when the last 64 (Reber: 256) training sequences were right;
  in experiment 3, where the paper does not say when to test, after every 256 sequences.
- The paper has no runs of an Elman network beyond the embedded Reber grammar, where it quotes others: such networks
  were then trained with a gradient that goes back one step. "Elman, 1990" does this; "Elman" is the same cell with the
  full gradient, which was not compared at the time and does better.
- Experiment 2a needs the paper's own remedy (its section 4, "abuse problem"): 99 of 100 symbols follow from the one
  before, and a recurrent layer that is there from the start is used for them. In trials LSTM and GRU then never learnt
  the last symbol, for any learning rate, gate bias, direct path from inputs to outputs, or one-hot vectors instead of
  an embedding. As in the paper, the output layer reads the inputs, and the recurrent layer is added once the error has
  stopped decreasing: by less than 1 % from one hundred updates to the next. This was done for every cell.
- In experiment 2b only the last symbol counts in training; in the paper all do, though only the last is predictable.
  With a loss at every step a network also has to count to a hundred, to know when the last symbol is due; in trials
  none met the criterion in 100,000 sequences.
- In experiment 3 the output is a plain number with a squared loss, and the stopping criterion is the paper's ST2.
- Published figures and set-ups of the 1997 paper are from its tables 1 to 9, read again in a copy of its text; where a
  table gives a fraction of 2,560 sequences, their number is given here. Those of the 2018 paper are quoted from
  memory of its table 1.
- Copy memory is solved by none of the recurrent networks of 2018, and by none here: 10 ln 8 / 1020 = 0.0204 is the loss
  of a network that knows when to output symbols and guesses which. LSTM and GRU were below it when their runs were
  stopped, and still learning. That the LSTM solves adding over 600 steps here and not there may be due to the biases of
  its gates.
"""


def page(results: Sequence[Result]) -> str:
    """Return the whole page, in Markdown."""
    head = ["problem", "set-up and criterion", "published", *NAMES.values()]
    rows = [head, ["---"] * len(head), *(_row(problem, results) for problem in PROBLEMS.values())]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{HEAD}\n{table}\n\n{_progress(results)}\n{_tail()}"


def _progress(results: Sequence[Result]) -> str:
    """How much of the whole has been run, in a sentence."""
    known = [result for result in results if result.problem in PROBLEMS]
    untouched = [name for name in PROBLEMS if name not in {result.problem for result in known}]
    hours = sum(result.seconds for result in known) / 3600
    text = f"Runs so far: {len(known)} of {len(PROBLEMS) * len(CELLS) * SEEDS}, {hours:.1f} hours on one thread."
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
    if problem.shows:
        text += f"; {problem.shows} {median(getattr(run, problem.shows) for run in runs):.2g}"
    return text


def _tail() -> str:
    def span(name: str) -> str:
        values = sorted({getattr(problem, name) for problem in PROBLEMS.values()})
        return f"{values[0]}" if len(values) == 1 else f"{values[0]} to {values[-1]}"

    return TAIL.format(sizes=span("hidden_size"), rates=span("learning_rate"), batches=span("batch_size"))
