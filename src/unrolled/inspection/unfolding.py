"""Unfolding in time: one node per cell and step, as data, for any arrangement of recurrent layers."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from torch import nn

from unrolled.arrangements.encoder_decoder import EncoderDecoder
from unrolled.arrangements.many_to_one import ManyToOne
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.batch import Batch
from unrolled.errors import ShapeError, UnsupportedError, message
from unrolled.inspection.graph import CELL, Unfolding, Window
from unrolled.inspection.nodes import Builder, cuts_of, numbers_of, restarts_of
from unrolled.inspection.pairs import Texts, unfold_pair
from unrolled.inspection.shown_steps import one_sequence, shown_steps
from unrolled.nn.parallel import stack_of
from unrolled.nn.pooling import Last
from unrolled.nn.stack import Stack


def unfold(
    model: nn.Module,
    batch: Batch,
    row: int = 0,
    labels: Sequence[str] = (),
    answers: Sequence[str] = (),
    ends: tuple[int, int] = (3, 2),
    bptt_steps: int = 0,
    values: bool = False,
) -> Unfolding:
    """Unfold a model over one sequence: cells, states, inputs, outputs, losses, and arrows between them.

    Both sides of an encoder-decoder are unfolded, see `unrolled.inspection.pairs.unfold_pair`; steps are the decoder's.

    Norms, dropout and residual connections have no nodes. Where the state restarts inside the
    sequence (`Batch.reset`), the arrow into the restarted cell is cut, and a window ends.

    Args:
        model: an arrangement of recurrent layers, such as `task.network_`.
        batch: encoded sequences; with targets there are losses.
        row: index of the sequence.
        labels: text of each step, such as its character, (T,).
        answers: true output of each step, (T,), or one for the whole sequence.
        ends: number of steps to show at the start and at the end; with truncated back-propagation, also the steps on
            both sides of the first and the last stop. (1, 1) fits a phone.
        bptt_steps: truncated back-propagation, as the training option of that name; 0 = full. A window begins at the
            sequence's first step, as in training where a sequence is not cut into lanes.
        values: run the model, and put its numbers into the nodes.

    Raises:
        ShapeError: no such sequence, an empty one, or not one label per step.
        UnsupportedError: a model without recurrent layers, or truncation of a model that reads backwards.

    Source: I. Goodfellow, Y. Bengio and A. Courville, "Deep Learning", MIT Press 2016, section 10.2.

    Example:
        >>> import torch
        >>> from unrolled.arrangements.many_to_many import NextStep
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import TokenOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> from unrolled.nn.stack import Stack
        >>> from unrolled.ragged import Ragged
        >>> model = NextStep(InputLayer({"x": Spec("index", 9)}), Stack(9, 4, "elman"), TokenOutput(9))
        >>> unfolded = unfold(model, Batch({"x": Ragged(torch.arange(9), [9])}))
        >>> [node.name for node in unfolded.of_kind("state")]
        ['s_0', 's_1', 's_2', 's_3', 's_8', 's_9']
        >>> unfolded.weights
        {'U': (4, 9), 'W': (4, 4), 'V': (9, 4)}
    """
    if isinstance(model, EncoderDecoder):
        if bptt_steps:
            raise UnsupportedError("an encoder-decoder is not trained with bptt_steps; use bptt_steps=0")
        return unfold_pair(model, batch, row, Texts(before=labels, wanted=answers), ends, values)
    one = one_sequence(batch, row)
    length = one.num_steps
    layers = _layers(model)
    for name, texts in (("labels", labels), ("answers", answers)):
        if texts and len(texts) != (1 if name == "answers" and isinstance(model, ManyToOne) else length):
            raise ShapeError(message(name, expected=f"one for each of {length} steps", received=f"{len(texts)}"))
    restarts = restarts_of(one)
    windows = _windows(model, length, bptt_steps, restarts)
    shown = shown_steps(length, ends, cuts_of(windows))
    builder = Builder(model, one, shown, windows, labels, answers, numbers_of(model, one) if values else None)
    tops = builder.inputs(model.layers.input_size)  # type: ignore[union-attr]
    if isinstance(model, OneToMany):
        builder.start_from_vector()
    for number, layer in enumerate(layers):
        tops = builder.layer(number, len(layers), layer, tops)
    builder.answers_of(tops)
    return Unfolding(
        type(model).__name__,
        next(node.label for node in builder.nodes if node.kind == CELL),
        length,
        tuple(shown),
        tuple(builder.nodes),
        tuple(builder.arrows),
        windows,
        builder.weights,
        restarts,
    )


def _layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers of an arrangement's Stack, each a `Recurrent` or a `Bidirectional`."""
    stack = stack_of(getattr(model, "layers", None))
    if not isinstance(stack, Stack):
        reads = type(model if stack is None else stack).__name__
        raise UnsupportedError(
            f"only an arrangement of recurrent layers can be unfolded, no {reads}; use a cell such as 'lstm'"
        )
    return list(stack.layers)


def _windows(model: nn.Module, length: int, steps: int, restarts: tuple[int, ...]) -> tuple[Window, ...]:
    """Return the windows of gradients: many-to-one looks back from the end, others train chunk by chunk."""
    whole = (Window(1, length),)
    if 0 < steps < length:
        if not model.layers.causal:  # type: ignore[union-attr]
            raise UnsupportedError("a bidirectional model is not trained with bptt_steps; use bptt_steps=0")
        if isinstance(model, ManyToOne):
            whole = Window(1, length - steps, learns=False), Window(length - steps + 1, length)
        else:
            whole = tuple(Window(start, min(start + steps - 1, length)) for start in range(1, length + 1, steps))
    parts = tuple(part for window in whole for part in _restarted(window, restarts))
    if isinstance(model, ManyToOne) and isinstance(model.pooling, Last) and model.layers.causal:
        return (*(replace(part, learns=False) for part in parts[:-1]), parts[-1])  # no loss reads earlier steps
    return parts


def _restarted(window: Window, restarts: tuple[int, ...]) -> Iterator[Window]:
    """Split a window into parts that end before each restart."""
    starts = [window.start, *(step for step in restarts if window.start < step <= window.stop)]
    for start, after in pairwise([*starts, window.stop + 1]):
        yield Window(start, after - 1, window.learns)
