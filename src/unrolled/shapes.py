"""Axis letters, and type aliases for the roles of tensors.

| letter | axis                                                              |
|--------|-------------------------------------------------------------------|
| B      | sequences in a batch                                              |
| T      | time steps of the longest sequence                                |
| N      | real steps of all sequences together: N = sum(lengths)            |
| F      | input features of one step                                        |
| H      | hidden units                                                      |
| L      | layers                                                            |
| V      | vocabulary, classes, or keys of a binary vector                   |

Shapes are checked at run time only under pytest (`tests/conftest.py` installs the checker before
anything is imported); otherwise every alias is plain `torch.Tensor` and costs nothing.
"""

import sys
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING or "jaxtyping" not in sys.modules:
    StepInputs = torch.Tensor  # (B, F)
    StepOutputs = torch.Tensor  # (B, H)
    HiddenState = torch.Tensor  # (B, H)
    Lengths = torch.Tensor  # (B,) int64, on the CPU
    Mask = torch.Tensor  # (B, T) bool, True = real
    Reset = torch.Tensor  # (N,) bool, True = the state restarts before this step
else:
    from jaxtyping import Bool, Float, Int64

    StepInputs = Float[torch.Tensor, "B F"]
    StepOutputs = Float[torch.Tensor, "B H"]
    HiddenState = Float[torch.Tensor, "B H"]
    Lengths = Int64[torch.Tensor, "B"]
    Mask = Bool[torch.Tensor, "B T"]
    Reset = Bool[torch.Tensor, "N"]
