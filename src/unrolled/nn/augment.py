"""Augmentation of spectrograms: masked frequency bands and stretches of time, changed loudness, a little noise."""

import torch
from torch import Tensor, nn

from unrolled.ragged import Ragged

BAND_MASKS, TIME_MASKS = 2, 2
WIDEST_BAND = 0.2  # share of the bands, at strength 1
LONGEST_TIME = 0.1  # share of the sequence
GAIN, NOISE = 0.2, 0.1  # standard deviations, relative to that of a band


class Masking(nn.Module):
    """Augments standardised spectrograms in training and leaves them unchanged otherwise.

    Every sequence of a batch has its own draw from torch's generator: two frequency bands and two stretches of time are
    set to 0, which is the mean; one loudness is added to the whole sequence, and noise to every value. The widths are
    uniform from 0 to 20 % of the bands and 10 % of the sequence, times `strength`.

    Source: Park et al. 2019, SpecAugment, section 2 (without time warping, which they find to matter least).

    Args:
        stack: number of frames in one step, K.
        bands: number of bands of a frame, F.
        strength: 1 = as above; 0 = none.

    Example:
        >>> spectra = Ragged(torch.ones(9, 4), [4, 5])
        >>> torch.equal(Masking(1, 4).eval()(spectra).values, spectra.values)
        True
    """

    def __init__(self, stack: int, bands: int, strength: float = 1.0) -> None:
        super().__init__()
        self.stack, self.bands, self.strength = stack, bands, strength

    def forward(self, spectra: Ragged) -> Ragged:
        """Augment spectra (N, K * F)."""
        if not self.training or not self.strength or not spectra.num_steps:
            return spectra
        values, ids, rows = spectra.values, spectra.sequence_ids, spectra.batch_size
        level = torch.randn(rows, 1, device=values.device, dtype=values.dtype) * (GAIN * self.strength)  # (B, 1)
        values = values + level[ids] + torch.randn_like(values) * (NOISE * self.strength)
        bands = torch.arange(self.bands, device=values.device).expand(rows, -1)  # (B, F)
        size = torch.full((rows, 1), float(self.bands), device=values.device)
        quiet = _runs(bands, size, BAND_MASKS, WIDEST_BAND * self.strength, torch.arange(rows, device=values.device))
        lengths = spectra.lengths.to(values.device).float()[:, None]  # (B, 1)
        late = _runs(spectra.positions[:, None], lengths, TIME_MASKS, LONGEST_TIME * self.strength, ids)  # (N, 1)
        hidden = quiet[ids].repeat(1, self.stack) | late  # (N, K * F)
        return spectra.with_values(values.masked_fill(hidden, 0.0))

    def extra_repr(self) -> str:
        """Return the text that `print` shows."""
        return f"{self.stack}, {self.bands}, strength={self.strength}"


def _runs(places: Tensor, sizes: Tensor, count: int, share: float, rows: Tensor) -> Tensor:
    """Return whether one of `count` random runs covers a place.

    Args:
        places: (M, P), each below its row's size.
        sizes: of each row, (B, 1) float.
        count: number of runs per row.
        share: maximum share of the size that a run covers.
        rows: row of each of the M, (M,).
    """
    covered = torch.zeros_like(places, dtype=torch.bool)
    for _ in range(count):
        widths = (torch.rand_like(sizes) * (min(share, 1.0) * sizes + 1)).floor().minimum(sizes)  # (B, 1)
        starts = (torch.rand_like(sizes) * (sizes - widths + 1)).floor()  # (B, 1)
        covered |= (places >= starts[rows]) & (places < (starts + widths)[rows])
    return covered
