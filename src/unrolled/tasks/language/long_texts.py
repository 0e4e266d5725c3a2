"""Reading of whole texts in stretches: memory depends on the size of the network, not on the length of a text."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.ragged import Ragged

ROWS = 64  # texts per batch
SHORTEST, LONGEST = 16, 1024  # steps per stretch
AT_ONCE = 1 << 22  # output numbers per stretch, unless the stretch would become too short


def read_to_the_end(network: Any, name: str, batch: Batch) -> tuple[Tensor, Any]:
    """Return a network's prediction after each of some texts, (B, V), and its state.

    Args:
        network: many-to-many; each of its answers is one number for each of V tokens.
        name: name of the input that holds the tokens.
        batch: at least one token of each text, and the values that belong to whole texts.
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
