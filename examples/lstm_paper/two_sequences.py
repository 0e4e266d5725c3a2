"""Experiment 3, noise and signal on the same channel: which of two classes did the first N numbers show?

3a   the first N numbers are all 1 (class 1) or all -1 (class 2), the others noise; the target at the end is 1 or 0
3b   the same, with noise on the first N numbers too
3c   as 3a, but the targets are 0.2 (class 1) and 0.8 (class 2), and noisy themselves: their mean has to be learnt
"""

from functools import partial

import numpy as np
import torch

from lstm_paper.problem import Bar, Problem, number_error
from unrolled.batch import Batch
from unrolled.codecs.base import Spec
from unrolled.nn.heads import NumberOutput
from unrolled.ragged import Ragged

SHORTEST, TESTED = 100, 256
NOISE = 0.2**0.5  # standard deviation on the inputs
TARGET_NOISE = 0.1**0.5  # and on the targets
FAR, CLOSE = (1.0, 0.0), (0.2, 0.8)  # targets of class 1 and class 2


def draw(
    count: int,
    rng: np.random.Generator,
    signal: int,
    targets: tuple[float, float] = FAR,
    noisy_signal: bool = False,
    noisy_targets: bool = False,
) -> Batch:
    """Sequences of 100 to 110 numbers, of which the first `signal` show the class."""
    lengths = rng.integers(SHORTEST, SHORTEST + SHORTEST // 10, count, endpoint=True)
    stops = lengths.cumsum()
    starts = stops - lengths
    classes = rng.integers(0, 2, count)  # 0 is class 1
    numbers = rng.normal(0, NOISE, stops[-1])
    shown = starts[:, None] + np.arange(signal)  # (B, signal)
    numbers[shown] = (1 - 2 * classes)[:, None] + (numbers[shown] if noisy_signal else 0)
    answers = np.array(targets)[classes] + (rng.normal(0, TARGET_NOISE, count) if noisy_targets else 0)  # (B,)
    steps = Ragged(torch.from_numpy(numbers).float()[:, None], torch.from_numpy(lengths))
    return Batch({"x": steps}, targets=torch.from_numpy(answers).float()[:, None])


def _problem(
    part: str,
    signal: int,
    published: str,
    exam: Bar,
    tolerance: float = 0.2,
    noisy_signal: bool = False,
    noisy_targets: bool = False,
) -> Problem:
    name = "noisy-target" if noisy_targets else "noisy-signal" if noisy_signal else "signal"
    most = f"at most {exam.allowed}" if exam.allowed else "none"
    shown = f"the first {signal}" if signal > 1 else "the first"
    clean = partial(draw, signal=signal, targets=CLOSE if noisy_targets else FAR, noisy_signal=noisy_signal)
    return Problem(
        name=f"{name}-{signal}",
        source=f"1997, experiment {part}",
        setup=f"100 to 110 numbers, the class shows in {shown}; {most} of {TESTED} test sequences off by "
        f"{tolerance} or more, their mean error below {exam.mean}",
        published=f"LSTM: {published} of 2,560 wrong",
        inputs=Spec("vector", 1),
        output=NumberOutput(),
        per_step=False,
        draw=partial(clean, noisy_targets=noisy_targets),
        draw_exam=clean,
        error=number_error,
        tolerance=tolerance,
        lag=SHORTEST,
        recent=Bar(TESTED, allowed=TESTED),  # no hurdle: the exam is sat every 256 sequences
        exam=exam,
        limit=600_000 if noisy_targets else 100_000,
        shows="error" if noisy_targets else "",
    )


_3A, _3B, _3C = Bar(TESTED, mean=0.01), Bar(TESTED, allowed=5, mean=0.04), Bar(TESTED, mean=0.015)
TWO_SEQUENCES = (
    _problem("3a", 3, "39,850 sequences; then 0.5", _3A),
    _problem("3a", 1, "64,330 sequences; then 0.3", _3A),
    _problem("3b", 3, "43,250 sequences; then 21", _3B, noisy_signal=True),
    _problem("3b", 1, "78,430 sequences; then 38", _3B, noisy_signal=True),
    _problem("3c", 3, "269,650 sequences; error 0.014; then 14", _3C, 0.1, noisy_targets=True),
    _problem("3c", 1, "565,640 sequences; error 0.012; then 11", _3C, 0.1, noisy_targets=True),
)
