"""Clock: position encodings of steps by waves, from which a linear map can compute shifted positions."""

import torch
from torch import Tensor

WAVES = 16  # number of sines, and of cosines
FASTEST, SLOWEST = 6.0, 1000.0  # wavelengths of the shortest and the longest wave, in steps


def clock(positions: Tensor) -> Tensor:
    """Compute sines and cosines of positions (...), with wavelengths from 6 to 1,000 steps: (..., 2 * WAVES).

    A shift by any number of steps rotates each pair by a fixed angle, which is a linear map.

    Source: A. Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.5.

    Example:
        >>> import torch
        >>> here, there = clock(torch.tensor([3, 3])), clock(torch.tensor([4, 8]))
        >>> here.shape, (here * there).sum(1).argmax().item()  # nearer is more alike
        (torch.Size([2, 32]), 0)
    """
    share = torch.arange(WAVES, device=positions.device) / (WAVES - 1)
    speeds = 2 * torch.pi / FASTEST * (FASTEST / SLOWEST) ** share  # (WAVES,) radians per step
    angles = positions[..., None] * speeds
    return torch.cat([angles.sin(), angles.cos()], -1)
