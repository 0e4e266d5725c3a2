"""Sequences of vectors with a start and an end row, and sampling of new sequences."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from unrolled.batch import Batch
from unrolled.nn.mixture import MixtureOutput
from unrolled.ragged import Ragged


def started(frames: Ragged) -> Ragged:
    """Return the input of the network: a start row, then the frames (V,), with a start flag column: (N + B, V + 1).

    A sequence without frames gets no start row.

    Example:
        >>> started(Ragged(torch.tensor([[5.0], [6.0]]), [2])).values.tolist()
        [[0.0, 1.0], [5.0, 0.0], [6.0, 0.0]]
    """
    return _with_a_row(frames, 1, torch.zeros(frames.feature_shape))


def ended(frames: Ragged) -> Ragged:
    """Return the targets: the frames (V,), then an end row, with an end flag column: (N + B, V + 1).

    As every sequence has a first frame, the first row leaves the end flag unknown.

    Example:
        >>> ended(Ragged(torch.tensor([[5.0], [6.0]]), [2])).values.tolist()
        [[5.0, nan], [6.0, 0.0], [nan, 1.0]]
    """
    rows = _with_a_row(frames, 0, torch.full(frames.feature_shape, torch.nan))
    rows.values[rows.positions == 0, -1] = torch.nan
    return rows


def _with_a_row(frames: Ragged, ahead: int, row: Tensor) -> Ragged:
    """Add one row to every sequence with frames: before them (1) or after them (0)."""
    real = (frames.lengths > 0).long()  # (B,)
    marked = torch.cat([row, torch.ones(1)])
    values = marked.repeat(frames.num_steps + int(real.sum()), 1)  # (N + B, V + 1)
    rows_before = real.cumsum(0)[frames.sequence_ids] - 1 + ahead  # (N,)
    values[torch.arange(frames.num_steps) + rows_before] = pad(frames.values, (0, 1))
    return Ragged(values, frames.lengths + real)


def draw(
    network: Any, prompt: Tensor, count: int, length: int, temperature: float, generator: torch.Generator
) -> list[Tensor]:
    """Draw sequences in parallel until each has ended or has `length` frames.

    Args:
        network: next-step prediction that ends in a `MixtureOutput` with an end, and reads what `started` gives.
        prompt: frames that all sequences begin with, (P, V); may be empty.
        count: number of sequences, B.
        length: maximum number of frames to add.
        temperature: see `MixtureOutput.sample`.
        generator: the source of randomness.

    Returns:
        The frames added to each sequence, (T, V).
    """
    output: MixtureOutput = network.output
    beginning = torch.cat([torch.zeros(1, output.size + 1), pad(prompt, (0, 1))])  # (P + 1, V + 1)
    beginning[0, -1] = 1.0
    alive = torch.ones(count, dtype=torch.bool)
    drawn: list[Tensor] = []
    lengths = torch.zeros(count, dtype=torch.int64)
    with torch.no_grad():
        state, raw = network.initial_state(count), torch.empty(0)
        for frame in beginning:
            raw, state = step(network, frame.expand(count, -1), state)
        for place in range(length):
            row = output.sample(raw, temperature, generator)  # (B, V + 1)
            if place or len(prompt):  # every sequence has a first frame
                alive = alive & (row[:, -1] < 0.5)
            if not alive.any():
                break
            drawn.append(row[:, :-1])
            lengths = lengths + alive
            if place + 1 < length:
                raw, state = step(network, pad(row[:, :-1], (0, 1)), state)
    frames = torch.stack(drawn, 1) if drawn else torch.empty(count, 0, output.size)  # (B, T, V)
    return [rows[:size] for rows, size in zip(frames, lengths.tolist(), strict=True)]


def step(network: Any, frames: Tensor, state: Any) -> tuple[Tensor, Any]:
    """Read one more frame for every row, (B, F): return raw answers (B, width) and the next state."""
    return network.step(Batch({"frames": Ragged(frames, torch.ones(len(frames), dtype=torch.int64))}), state)
