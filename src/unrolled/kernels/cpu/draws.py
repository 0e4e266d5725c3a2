"""The draws of the noise for one layer and batch, in the layout of the tiles."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.kernels.cpu.layer import Layer
from unrolled.kernels.cpu.layout import Chunk
from unrolled.kernels.noise import Noise, threshold, unit_keys
from unrolled.ragged import Ragged


@dataclass(frozen=True, eq=False)
class Draws:
    """Keys of draws, and the masks of dropout; zoneout is drawn where it is used, in both passes.

    Args:
        row_keys: of every step, (N,) int64; None = without zoneout.
        unit_keys: words, (fields of the state, padded); None = without zoneout.
        shared: numbers that all draws of zoneout share, in the order of `zoneout`; None = without zoneout.
        factors: of the hidden state in the recurrent product, (B, padded); None = without dropout.
        lengths: steps of each sequence, (B,).
    """

    row_keys: Tensor | None
    unit_keys: Tensor | None
    shared: Tensor | None
    factors: Tensor | None
    lengths: Tensor

    def factors_of(self, chunk: Chunk) -> Tensor | None:
        """Return the factors of a chunk's sequences, (C, padded); None without dropout."""
        return None if self.factors is None else self.factors[torch.from_numpy(chunk.sequences)]

    def read_before(self, hidden: Tensor) -> Tensor:
        """Return the initial hidden states, (B, padded), as the recurrent product reads them."""
        return hidden if self.factors is None else hidden * self.factors

    def read(self, outputs: Tensor) -> Tensor:
        """Return every output, (N, padded), as the recurrent product of the next step reads it."""
        return outputs if self.factors is None else self.factors.repeat_interleave(self.lengths, 0).mul_(outputs)


NONE = Draws(None, None, None, None, torch.empty(0, dtype=torch.int64))


def draw(layer: Layer, lengths: Tensor) -> Draws:
    """Make the draws of a layer's noise for sequences of these lengths, (B,)."""
    noise, padded, factors = layer.noise, layer.padded, None
    if noise is None:
        return NONE
    if noise.drops:
        factors = noise.factors(torch.zeros(len(lengths), layer.hidden_size, dtype=torch.float32))
        factors = torch.nn.functional.pad(factors, (0, padded - layer.hidden_size))
    if not noise.zones:
        return Draws(None, None, None, factors, lengths)
    keys = torch.stack([unit_keys(field, padded) for field in range(layer.plan.fields)])
    rows = Ragged(torch.empty(int(lengths.sum()), 0), lengths)
    return Draws(noise.row_keys(rows), _words(keys), _shared(noise), factors, lengths)


def _shared(noise: Noise) -> Tensor:
    """Return the word below which a unit keeps its value, and the kept share below and above (equal in evaluation)."""
    shares = (noise.zoneout, noise.zoneout) if noise.seed is None else (1.0, 0.0)
    return torch.cat([_words(torch.tensor([threshold(noise.zoneout)])), torch.tensor(shares, dtype=torch.float32)])


def _words(numbers: Tensor) -> Tensor:
    """Store 32-bit words as the bits of float32 values."""
    return numbers.to(torch.int32).view(torch.float32)
