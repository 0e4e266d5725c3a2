"""Conversion of a network's state to one vector, which can be stored, sent and stacked, and back."""

from typing import Any

import numpy as np
import torch

from unrolled.state import state_tensors, with_tensors


class StateLayout:
    """The places of a state's tensors in one vector.

    Args:
        pattern: a state of any number of sequences, tensors (B, ...) nested as the network nests them.

    Attributes:
        size: length S of the state of one sequence.

    Example:
        >>> layout = StateLayout((torch.zeros(1, 2), torch.zeros(1, 3)))
        >>> layout.size, layout.flat((torch.ones(4, 2), torch.zeros(4, 3))).shape
        (5, (4, 5))
    """

    def __init__(self, pattern: Any) -> None:
        self._pattern = pattern
        self._shapes = [tuple(field.shape[1:]) for field in state_tensors(pattern)]
        self._sizes = [int(np.prod(shape, dtype=np.int64)) for shape in self._shapes]
        self.size = sum(self._sizes)

    def flat(self, state: Any) -> np.ndarray:
        """Flatten the states of a batch to (B, S) float32."""
        fields = [field.detach().reshape(len(field), -1).float() for field in state_tensors(state)]
        return torch.cat(fields, 1).numpy() if fields else np.zeros((0, 0), dtype=np.float32)

    def nested(self, rows: np.ndarray) -> Any:
        """Restore nested states from rows (B, S)."""
        parts = zip(torch.from_numpy(rows).split(self._sizes, 1), self._shapes, strict=True)
        return with_tensors(self._pattern, (part.reshape(len(rows), *shape).contiguous() for part, shape in parts))
