"""The most costly errors of a model: the sequences whose answers have the largest loss."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.inspection.record import Mistake
from unrolled.metrics.scores import IGNORED
from unrolled.ragged import Ragged

MOST = 8
LOOKED_AT = 512  # sequences that are examined
LONGEST = 160  # characters of an input or answer


def mistakes(
    network: Any,
    batch: Batch,
    spell: Callable[[Batch], Sequence[str]],
    classes: Sequence[Any],
    given: Tensor | None = None,
) -> tuple[Mistake, ...]:
    """Return the sequences with a wrong answer and the largest loss, worst first; none if answers have no names.

    Args:
        network: an arrangement.
        batch: encoded sequences with targets.
        spell: returns what each step of one sequence reads; empty if that has no name.
        classes: names of the answers.
        given: log probabilities of a blend, (B, V), which are then the answers instead of the network's.
    """
    targets = batch.targets.values if isinstance(batch.targets, Ragged) else batch.targets
    if not len(classes) or not batch.num_steps or targets is None or targets.ndim > 1 or targets.is_floating_point():
        return ()
    some = batch.select(torch.arange(min(LOOKED_AT, batch.batch_size)))
    with torch.no_grad():
        raw = network(some)[0] if given is None else given[: some.batch_size]
    answers, true = _by_sequence(raw, some), _by_sequence(some.targets, some)
    if len(answers) != len(true) or any(len(a) != len(t) for a, t in zip(answers, true, strict=True)):
        return ()  # there is not one predicted class per target
    with torch.no_grad():
        costs = [float(network.output.loss(a, t).mean()) if len(t) else 0.0 for a, t in zip(answers, true, strict=True)]
        guesses = [network.output.predict(answer) for answer in answers]
    wrong = [
        row for row, (g, t) in enumerate(zip(guesses, true, strict=True)) if bool(((g != t) & (t != IGNORED)).any())
    ]
    worst = sorted(wrong, key=lambda row: -costs[row])[:MOST]
    return tuple(
        Mistake(
            row,
            costs[row],
            cut(_joined(spell(some.select(torch.tensor([row]))))),
            cut(_named(true[row], classes)),
            cut(_named(guesses[row], classes)),
        )
        for row in worst
    )


def _by_sequence(values: Ragged | Tensor | None, batch: Batch) -> list[Tensor]:
    """Return the rows of each sequence: all of its steps, or its one answer."""
    if isinstance(values, Ragged):
        return list(values)
    return [] if values is None else list(values.split(1))


def _named(indices: Tensor, classes: Sequence[Any]) -> str:
    return " ".join("-" if int(index) == IGNORED else str(classes[int(index)]) for index in indices)


def _joined(labels: Sequence[str]) -> str:
    """Join labels: characters directly, words with spaces between."""
    return ("" if all(len(label) == 1 for label in labels) else " ").join(labels)


def cut(text: str) -> str:
    """Cut a text to the length that a table has room for, and mark the cut."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
