"""Checks of any model: does it look ahead, leak or forget state, or depend on padding or the rest of the batch?

A model is anything that can be called. Each check needs one of three signatures:

    answers    model(inputs: Ragged) -> outputs
    carries    model(inputs: Ragged, state) -> (outputs, state)      state None = the state before the first step
    pads       model(padded (B, T, *feature), lengths (B,)) -> outputs (B, T, width) or (B, width)

Outputs are a Ragged with the inputs' lengths or one row per sequence, (B, ...); a pair is read as (outputs, state).
A module is put into evaluation mode for the check, and gets the same random numbers each time. A check
returns None, or a `Finding` that prints as one sentence: what happened, where, by how much, and what to do.
"""

import torch

from unrolled.inspection.findings import Finding
from unrolled.inspection.probing import (
    TOLERANCE,
    Model,
    answers,
    ask,
    calm,
    filled_rows,
    gap_between,
    need,
    other_values,
    real_parts,
    replace_steps,
    row_gaps,
    scale_of,
    step_answers,
    worst,
)
from unrolled.ragged import Ragged

CUTS = 8  # steps after which the inputs are changed, evenly spaced


def looks_into_the_future(model: Model, inputs: Ragged, tolerance: float = TOLERANCE) -> Finding | None:
    """Check that no output changes when inputs of later steps change.

    Args:
        model: gives an output at every step (`answers`).
        inputs: a batch for the check, with a sequence of at least two steps; any dtype.
        tolerance: the largest difference that is accepted, as a share of the largest output or of 1.

    Returns:
        None, or the first output found that changes.

    Raises:
        DataError: inputs that the check cannot use.

    Example:
        >>> import torch
        >>> from unrolled.nn.stack import Stack
        >>> inputs = Ragged(torch.randn(6, 3), [4, 2])
        >>> looks_into_the_future(Stack(3, 4), inputs) is None
        True
        >>> print(looks_into_the_future(Stack(3, 4, bidirectional=True), inputs))
        The output at step 0 changes by ... when the inputs after step 0 change: ...
    """
    need(inputs, inputs.max_length > 1, "a sequence of at least two steps")
    others = other_values(inputs)
    with calm(model):
        before = step_answers(model, inputs)
        limit = tolerance * scale_of(before.values)
        for cut in torch.linspace(0, inputs.max_length - 2, CUTS).long().unique().tolist():
            later = inputs.positions > cut
            after = step_answers(model, replace_steps(inputs, later, others))
            gaps = row_gaps(after.values, before.values).masked_fill(later, 0.0)  # (N,)
            gap = float(gaps.max())
            if gap > limit:
                step = int(inputs.positions[gaps.argmax()])
                return Finding(
                    "looks_into_the_future",
                    f"The output at step {step} changes by {gap:.2g} when the inputs after step {cut} change: the "
                    "model looks into the future; use a causal layer (bidirectional=False) or a causal mask.",
                    gap,
                )
    return None


def batch_mates_matter(model: Model, inputs: Ragged, tolerance: float = TOLERANCE) -> Finding | None:
    """Check that every sequence gets the same answer alone as in a batch.

    Args:
        model: of the form `answers`.
        inputs: a batch of at least two sequences, preferably of unequal length.
        tolerance: as in `looks_into_the_future`.

    Returns:
        None, or the sequence whose answer differs most.

    Raises:
        DataError: fewer than two sequences with steps.

    Example:
        >>> import torch
        >>> centred = lambda inputs: inputs.with_values(inputs.values - inputs.values.mean(0))
        >>> print(batch_mates_matter(centred, Ragged(torch.tensor([[1.0], [2.0], [4.0]]), [2, 1])))
        Sequence ... answers differently alone than in the batch, by ...: ...
    """
    filled = filled_rows(inputs)
    need(inputs, len(filled) > 1, "at least two sequences with steps")
    with calm(model):
        together = list(answers(model, inputs))
        gaps = {row: gap_between(answers(model, inputs.select([row]))[0], together[row]) for row in filled}
    row, gap = worst(gaps)
    if gap <= tolerance * scale_of(*together):
        return None
    return Finding(
        "batch_mates_matter",
        f"Sequence {row} answers differently alone than in the batch, by {gap:.2g}: what shares the batch changes the "
        "result; pass true lengths, and normalise over features instead of over the batch.",
        gap,
    )


def padding_changes_results(
    model: Model, inputs: Ragged, extra: int = 3, tolerance: float = TOLERANCE
) -> Finding | None:
    """Check that no answer at a real step changes with more padding or other padding values.

    Args:
        model: of the form `pads`.
        inputs: sequences; the check pads them.
        extra: number of padding steps added after the longest sequence.
        tolerance: as in `looks_into_the_future`.

    Returns:
        None, or what the padding changed.

    Raises:
        DataError: inputs without steps.

    Example:
        >>> import torch
        >>> mean = lambda padded, lengths: padded.mean(1)  # over the padding too
        >>> print(padding_changes_results(mean, Ragged(torch.ones(3, 1), [2, 1])))
        Padding changes the answer to sequence ... by ...: ...
    """
    filled = filled_rows(inputs)
    need(inputs, bool(filled), "a sequence with steps")
    dense = inputs.padded()  # (B, T, *feature)
    longer = torch.cat([dense, dense.new_zeros(len(dense), extra, *inputs.feature_shape)], 1)  # (B, T + extra, ...)
    padding = torch.arange(longer.shape[1])[None, :] >= inputs.lengths[:, None]  # (B, T + extra)
    other = longer.clone()
    other[padding.to(other.device)] = other_values(inputs)[0]
    with calm(model):
        want, *got = [real_parts(answers(model, padded, inputs.lengths), inputs) for padded in (dense, longer, other)]
    gaps = {row: max(gap_between(parts[row], want[row]) for parts in got) for row in filled}
    row, gap = worst(gaps)
    if gap <= tolerance * scale_of(*want):
        return None
    return Finding(
        "padding_changes_results",
        f"Padding changes the answer to sequence {row} by {gap:.2g}: the model reads steps that do not exist; pass the "
        "lengths to every layer, pooling and loss, or pass a Ragged, which has no padding.",
        gap,
    )


def leaks_state_between_sequences(model: Model, inputs: Ragged, tolerance: float = TOLERANCE) -> Finding | None:
    """Check that answers do not depend on earlier batches, or on earlier sequences of the batch.

    Args:
        model: of the form `answers`.
        inputs: a batch of at least two sequences with steps.
        tolerance: as in `looks_into_the_future`.

    Returns:
        None, or the effect of another sequence.

    Raises:
        DataError: fewer than two sequences with steps.

    Example:
        >>> import torch
        >>> from unrolled.cells.gru import GRUCell
        >>> from unrolled.nn.unroll import unroll
        >>> cell = GRUCell(3, 4)
        >>> def as_one(inputs):  # forgets where one sequence ends and the next begins
        ...     outputs, _ = unroll(cell, Ragged(inputs.values, [inputs.num_steps]))
        ...     return inputs.with_values(outputs.values)
        >>> print(leaks_state_between_sequences(as_one, Ragged(torch.randn(6, 3), [4, 2])))
        Sequence 1 answers differently, by ..., when those before it in the batch change: ...
    """
    filled = filled_rows(inputs)
    need(inputs, len(filled) > 1, "at least two sequences with steps")
    others, last = other_values(inputs), filled[-1]
    with calm(model):
        first = list(answers(model, inputs))
        answers(model, inputs.with_values(others))
        again = list(answers(model, inputs))
        behind = list(answers(model, replace_steps(inputs, inputs.sequence_ids < last, others)))
    limit = tolerance * scale_of(*first)
    gap = max(gap_between(again[row], first[row]) for row in filled)
    if gap > limit:
        return Finding(
            "leaks_state_between_sequences",
            f"The same batch gets other answers, by {gap:.2g}, after another batch: state is kept in the model; pass "
            "the state in and out, and start each sequence from initial_state.",
            gap,
        )
    gap = gap_between(behind[last], first[last])
    if gap > limit:
        return Finding(
            "leaks_state_between_sequences",
            f"Sequence {last} answers differently, by {gap:.2g}, when those before it in the batch change: state leaks "
            "from one sequence into the next; give true lengths, or mark each first step in `reset`.",
            gap,
        )
    return None


def forgets_state_between_calls(model: Model, inputs: Ragged, tolerance: float = TOLERANCE) -> Finding | None:
    """Check that sequences in two parts, with the state passed on, get the answers of the whole sequences.

    Args:
        model: of the form `carries`.
        inputs: sequences, one of them of at least two steps.
        tolerance: as in `looks_into_the_future`.

    Returns:
        None, or how the second part differs.

    Raises:
        DataError: no sequence of two steps.

    Example:
        >>> import torch
        >>> from unrolled.nn.stack import Stack
        >>> stack, inputs = Stack(3, 4), Ragged(torch.randn(6, 3), [4, 2])
        >>> forgets_state_between_calls(stack, inputs) is None
        True
        >>> print(forgets_state_between_calls(lambda inputs, state: stack(inputs), inputs))
        The second part of a sequence gets the answer of a fresh start, off by ...: ...
    """
    need(inputs, inputs.max_length > 1, "a sequence of at least two steps")
    middle = (inputs.lengths + 1) // 2
    early, late = inputs.slice(0, middle), inputs.slice(middle, inputs.lengths)
    with calm(model):
        whole, _ = ask(model, inputs, None)
        _, state = ask(model, early, None)
        carried, _ = ask(model, late, state)
        fresh, _ = ask(model, late, None)
    limit = tolerance * scale_of(whole.values)
    gap = gap_between(carried.values, whole.slice(middle, inputs.lengths).values)
    if gap <= limit:
        return None
    if gap_between(carried.values, fresh.values) <= limit:
        sentence = (
            f"The second part of a sequence gets the answer of a fresh start, off by {gap:.2g}: the state is cleared "
            "at every call; pass on the state that the call before returned."
        )
    else:
        sentence = (
            f"A sequence in two parts gets other answers than in one, by {gap:.2g}: the state that is passed on does "
            "not hold all that the model remembers; return every layer's state, and use causal layers."
        )
    return Finding("forgets_state_between_calls", sentence, gap)
