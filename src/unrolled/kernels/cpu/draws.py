"""What noise draws for one layer and batch, laid out as the tiles read it."""

from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.kernels.cpu.layer import Layer
from unrolled.kernels.cpu.layout import Chunk
from unrolled.kernels.noise import Noise, threshold, unit_keys
from unrolled.ragged import Ragged


@dataclass(frozen=True, eq=False)
class Draws:
    """Keys of draws, and the masks of dropout; those of zoneout are drawn where they are used, in both passes.

    Args:
        row_keys: of every step, (N,) int64; empty without zoneout.
        unit_keys: words, (fields of the state, padded); likewise.
        shared: what all draws of zoneout share, as `zoneout` has its places; likewise.
        factors: what the recurrent product reads of the hidden state, (B, padded); None = all of it.
        lengths: steps of each sequence, (B,).
    """

    row_keys: Tensor
    unit_keys: Tensor
    shared: Tensor
    factors: Tensor | None
    lengths: Tensor

    def factors_of(self, chunk: Chunk) -> Tensor | int:
        """The factors of a chunk's sequences, (C, padded); 0 where there are none."""
        return 0 if self.factors is None else self.factors[torch.from_numpy(chunk.sequences)]

    def read_before(self, hidden: Tensor) -> Tensor:
        """The hidden states before the first step, (B, padded), as the recurrent product reads them."""
        return hidden if self.factors is None else hidden * self.factors

    def read(self, outputs: Tensor) -> Tensor:
        """Every output, (N, padded), as the recurrent product of the next step reads it."""
        return outputs if self.factors is None else self.factors.repeat_interleave(self.lengths, 0).mul_(outputs)


_NOTHING = torch.empty(0, dtype=torch.float32)
NONE = Draws(_NOTHING, _NOTHING, _NOTHING, None, _NOTHING)


def draw(layer: Layer, lengths: Tensor) -> Draws:
    """The draws of a layer's noise for sequences of these lengths, (B,)."""
    noise, padded, factors = layer.noise, layer.padded, None
    if noise is None:
        return NONE
    if noise.drops:
        factors = noise.factors(torch.zeros(len(lengths), layer.hidden_size, dtype=torch.float32))
        factors = torch.nn.functional.pad(factors, (0, padded - layer.hidden_size))
    if not noise.zones:
        return Draws(_NOTHING, _NOTHING, _NOTHING, factors, lengths)
    keys = torch.stack([unit_keys(field, padded) for field in range(layer.plan.fields)])
    rows = Ragged(torch.empty(int(lengths.sum()), 0), lengths)
    return Draws(noise.row_keys(rows), _words(keys), _shared(noise), factors, lengths)


def _shared(noise: Noise) -> Tensor:
    """The word below which a unit stays as it was, its share then, and else; in evaluation both are the expectation."""
    shares = (noise.zoneout, noise.zoneout) if noise.seed is None else (1.0, 0.0)
    return torch.cat([_words(torch.tensor([threshold(noise.zoneout)])), torch.tensor(shares, dtype=torch.float32)])


def _words(numbers: Tensor) -> Tensor:
    """Words of 32 bits as float32 values whose bits mean something else."""
    return numbers.to(torch.int32).view(torch.float32)
