"""A small residual convolution net: pictures to one vector per place, and one vector per picture."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from unrolled.errors import OptionError, ShapeError, message

GRID = 8  # desired number of places per side
LEAST, LEAST_WIDTH = 8, 16  # minimum channels of the last layer, and of the other layers
GROUP = 16  # channels that are normalised together
FARTHEST = 1 / 16  # maximum shift of a picture in training, as a share of its side, at strength 1
BRIGHTER, STRONGER = 0.2, 0.2  # deviations added, and share by which contrast changes, at most, at strength 1


class PictureFeatures(NamedTuple):
    """The outputs of a convolution net.

    Args:
        places: (M, P, D); the P = h * w places of the net's `grid` row by row, from the top left.
        pooled: (M, D).
    """

    places: Tensor
    pooled: Tensor


class ConvNet(nn.Module):
    """Residual blocks of 3 x 3 convolutions that halve a picture until about 8 x 8 places are left.

    Groups of channels are normalised within each picture, so that no result depends on the batch. The pooled vector
    has a weight for every place and channel: unlike a mean over places, it can represent where something is.

    While training, each picture is shifted by up to 1/16 of its side (its border repeated) and changes slightly
    in brightness and contrast. It is never mirrored, which would change the meaning of directions and text.

    Args:
        shape: channels and sides of a picture, (C, S, S).
        size: number of channels of the last layer and width of the pooled vector, D; earlier layers have fewer.
        scaling: mean and deviation of each channel, 0 to 255; none = 127.5 both.
        augment: strength of the augmentation in training; 0 = none.

    Attributes:
        grid: height and width of the places, (h, w).

    Raises:
        OptionError: an illegal value.

    Sources: K. He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016, section 3 (norm and rectifier
    before each convolution); T. He et al., "Bag of Tricks for Image Classification with Convolutional Neural Networks",
    CVPR 2019, section 4.1 (a mean before the short cut's convolution); Y. Wu and K. He, "Group Normalization", ECCV
    2018; S. Chen et al., "MobileFaceNets", 2018, section 3.1 (a weight for each place and channel, not the mean).

    Example:
        >>> net = ConvNet((3, 64, 64), size=128)
        >>> seen = net(torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
        >>> seen.places.shape, seen.pooled.shape, net.grid
        (torch.Size([2, 64, 128]), torch.Size([2, 128]), (8, 8))
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        shape: Sequence[int],
        size: int = 128,
        scaling: Sequence[tuple[float, float]] = (),
        augment: float = 1.0,
    ) -> None:
        super().__init__()
        if len(shape) != 3 or min(shape) < 1:
            raise OptionError(message("shape", expected="(C, S, S)", received=tuple(shape)))
        if size < LEAST:
            raise OptionError(message("size", expected=f"an integer >= {LEAST}", received=size))
        if not 0 <= augment <= 4:
            raise OptionError(message("augment", expected="a number from 0 to 4", received=augment))
        self.shape = tuple(shape)
        self.size = size
        self.augment = augment
        channels, height, width = self.shape
        means, deviations = zip(*(scaling or [(127.5, 127.5)] * channels), strict=True)
        self.register_buffer("mean", torch.tensor(means).reshape(-1, 1, 1), persistent=False)  # (C, 1, 1)
        self.register_buffer("deviation", torch.tensor(deviations).reshape(-1, 1, 1), persistent=False)
        halvings = max(0, round(math.log2(min(height, width) / GRID)))
        widths = [max(LEAST_WIDTH, size // 2 ** max(halvings - stage, 0)) for stage in range(1, halvings)] + [size]
        first = 2 if halvings else 1
        self.stem = nn.Conv2d(channels, widths[0], 3, stride=first, padding=1)
        blocks = [_Block(before, after, stride=2) for before, after in pairwise(widths)]
        self.blocks = nn.Sequential(*blocks, _Block(size, size))
        self.norm = _norm(size)
        sides = [_halved(side, halvings) for side in (height, width)]
        self.grid = (sides[0], sides[1])
        # unit variance of the sum for any number of places, and different channels
        self.weights = nn.Parameter(torch.randn(sides[0] * sides[1], size) / math.sqrt(sides[0] * sides[1]))  # (P, D)
        self.pooled_norm = nn.LayerNorm(size)

    def forward(self, pictures: Tensor, groups: Tensor | None = None) -> PictureFeatures:
        """Compute the vectors of places and the pooled vector of each picture.

        Args:
            pictures: (M, C, S, S) bytes.
            groups: number of the film of each picture, (M,); a film has the same augmentation. None = no films.
        """
        if tuple(pictures.shape[1:]) != self.shape:
            raise ShapeError(
                message("pictures", expected=f"shape (M, {str(self.shape)[1:]}", received=tuple(pictures.shape))
            )
        if self.training and self.augment:
            draws = _draws(len(pictures), groups).to(pictures.device) * self.augment  # (M, 4)
            values = self._standard(_shifted(pictures, draws[:, :2] * FARTHEST))
            contrast, brightness = draws[:, 2:].reshape(-1, 2, 1, 1, 1).unbind(1)  # (M, 1, 1, 1) each
            values = values * (1 + STRONGER * contrast) + BRIGHTER * brightness
        else:
            values = self._standard(pictures)  # (M, C, S, S)
        # no rectifier: all places would be close to the positive vector of the background, which hides differences
        hidden = self.norm(self.blocks(self.stem(values)))  # (M, D, h, w)
        places = hidden.flatten(2).transpose(1, 2)  # (M, P, D)
        return PictureFeatures(places, self.pooled_norm((places * self.weights).sum(1)))

    def _standard(self, pictures: Tensor) -> Tensor:
        return (pictures.to(self.mean.dtype) - self.mean) / self.deviation

    def kept(self) -> int:
        """Estimate how many numbers forward and backward keep per picture."""
        convolutions = [module for module in self.modules() if isinstance(module, nn.Conv2d)]
        side, kept = math.prod(self.shape[1:]), 2 * math.prod(self.shape)
        for convolution in convolutions:
            if convolution.kernel_size[0] > 1:
                side = max(1, side // convolution.stride[0] ** 2)
            kept += 4 * side * convolution.out_channels  # its output, the results of norm and rectifier, gradients
        return kept


class _Block(nn.Module):
    """x + convolutions(x), where norm and rectifier come before each convolution; a stride shrinks both sides."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.norms = nn.ModuleList([_norm(before), _norm(after)])
        self.first = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        nn.init.zeros_(self.second.weight)  # a block starts by passing its input on
        self.stride = stride
        self.short = None if before == after and stride == 1 else nn.Conv2d(before, after, 1, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = relu(self.norms[0](inputs))
        changed = self.second(relu(self.norms[1](self.first(hidden))))
        if self.short is None:
            return changed + inputs
        # averaged, not subsampled, so that no pixel is ignored
        return changed + self.short(avg_pool2d(hidden, self.stride, ceil_mode=True))


def _norm(channels: int) -> nn.GroupNorm:
    groups = max(1, channels // GROUP)
    return nn.GroupNorm(groups if channels % groups == 0 else 1, channels)


def _halved(side: int, times: int) -> int:
    for _ in range(times):
        side = (side + 1) // 2
    return side


def _draws(count: int, groups: Tensor | None) -> Tensor:
    """Draw four numbers from -1 to 1 per picture, (M, 4); one draw per film, so that it does not shake or flicker."""
    if groups is None or not count:
        return torch.rand(count, 4) * 2 - 1
    films, film = groups.cpu().unique(return_inverse=True)
    return (torch.rand(len(films), 4) * 2 - 1)[film]


def _shifted(pictures: Tensor, shares: Tensor) -> Tensor:
    """Shift every picture by whole pixels, with its border repeated: (M, C, S, S).

    Args:
        pictures: (M, C, S, S).
        shares: shifts down and right, as shares of the side, (M, 2).
    """
    places = []
    for axis, side in enumerate(pictures.shape[2:]):
        moved = torch.arange(side, device=pictures.device) - (shares[:, axis, None] * side).round().long()  # (M, S)
        places.append(moved.clamp(0, side - 1))
    rows = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    # axes selected by index come first
    return pictures[rows, :, places[0][:, :, None], places[1][:, None, :]].permute(0, 3, 1, 2)
