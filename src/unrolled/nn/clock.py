"""Clock: a step's number as waves, from which a linear map can tell neighbours apart and count forwards or back."""

import torch
from torch import Tensor

WAVES = 16  # sines, and as many cosines
FASTEST, SLOWEST = 6.0, 1000.0  # steps that the shortest and the longest wave take


def clock(positions: Tensor) -> Tensor:
    """Sines and cosines of positions (...), of wavelengths from 6 to 1,000 steps: (..., 2 * WAVES).

    To shift a position by any number of steps is to turn each pair of them by a fixed angle, a linear map.

    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.5.

    Example:
        >>> import torch
        >>> here, there = clock(torch.tensor([3, 3])), clock(torch.tensor([4, 8]))
        >>> here.shape, (here * there).sum(1).argmax().item()  # nearer is more alike
        (torch.Size([2, 32]), 0)
    """
    share = torch.arange(WAVES, device=positions.device) / (WAVES - 1)
    speeds = 2 * torch.pi / FASTEST * (FASTEST / SLOWEST) ** share  # (WAVES,) radians a step
    angles = positions[..., None] * speeds
    return torch.cat([angles.sin(), angles.cos()], -1)
