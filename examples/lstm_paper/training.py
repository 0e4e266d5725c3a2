"""One run: the library's own loop over an endless stream, stopped by the paper's criterion."""

import time

from lstm_paper.judging import Criterion, Judged, examine
from lstm_paper.late import AddLayer
from lstm_paper.models import make_model
from lstm_paper.problem import Problem
from lstm_paper.results import Result
from lstm_paper.stream import TEST, Stream, draws
from unrolled.training.callbacks import Callback
from unrolled.training.options import TrainingOptions
from unrolled.training.seeds import seed_everything
from unrolled.training.trainer import Trainer

TESTED = 2560  # fresh sequences after training, as in the paper


def run(problem: Problem, cell: str, seed: int) -> Result | None:
    """Train one net on one problem.

    Args:
        problem: what to learn.
        cell: name in `lstm_paper.models.CELLS`.
        seed: of weights and sequences.

    Returns:
        How it ended; None when Ctrl-C ended it before it was decided.
    """
    started = time.perf_counter()
    seed_everything(seed)
    judged = Judged(problem, make_model(problem, cell))
    stream = Stream(problem, seed)
    criterion = Criterion(judged, stream.exams())
    callbacks: list[Callback] = [criterion]
    if problem.late:
        callbacks.append(AddLayer(judged.model.layers))
    options = TrainingOptions(
        epochs=1,
        learning_rate=problem.learning_rate,
        optimizer="adam",
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        seed=seed,
        device="cpu",
    )
    trainer = Trainer(judged, stream, options, callbacks=callbacks)
    history = trainer.run()
    if history.interrupted and not criterion.solved:
        return None
    draw = problem.draw_exam or problem.draw
    marks = examine(problem, judged.model, draw(TESTED, draws(problem, seed, TEST)))
    return Result(
        problem=problem.name,
        cell=cell,
        seed=seed,
        solved=criterion.solved,
        sequences=trainer.at.update * problem.batch_size,
        wrong=int((marks.errors >= problem.tolerance).sum()),
        tested=TESTED,
        loss=float(f"{marks.loss:.5g}"),
        error=float(f"{marks.errors.mean():.5g}"),
        limit=problem.limit,
        seconds=round(time.perf_counter() - started, 1),
    )
