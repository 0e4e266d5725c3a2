"""Texts read to their ends, a stretch at a time: memory follows the size of the network, not the length of a text."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.ragged import Ragged

ROWS = 64  # texts that are read side by side
SHORTEST, LONGEST = 16, 1024  # steps of a stretch
AT_ONCE = 1 << 22  # numbers that a stretch answers with, where that leaves it long enough


def read_to_the_end(network: Any, name: str, batch: Batch) -> tuple[Tensor, Any]:
    """What a network expects after each of some texts, (B, V), and its state.

    Args:
        network: many-to-many; its answers have one number for each of V tokens.
        name: of the input that holds the tokens.
        batch: at least one token of each text, and what belongs to whole texts.
    """
    tokens = batch.inputs[name]
    assert isinstance(tokens, Ragged)
    longest, steps, start = int(tokens.lengths.max()), SHORTEST, 0
    ends, state = None, None
    while start < longest:
        part = tokens.slice(start, start + steps)
        raw, state = network(replace(batch, inputs={name: part}), state)
        found = raw.last()
        ends = found if ends is None else torch.where((part.lengths > 0)[:, None], found, ends)
        start += steps
        steps = min(LONGEST, max(SHORTEST, AT_ONCE // max(found.numel(), 1)))
    assert ends is not None, "every text has a first token"
    return ends, state
