"""Noise in the recurrence itself: dropout of the recurrent product's input, and zoneout.

There is no random number generator with a state: a draw is a hash of the seed, the sequence's place in the batch, the
step and the unit. The same draw can be computed again, so the backward pass keeps no masks, and draws do not depend on
threads, other sequences' lengths or recomputation.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from unrolled.cells.base import Cell, State
from unrolled.errors import OptionError, UnsupportedError, message, share_number
from unrolled.ragged import Ragged

WORD = 2**32  # number of values of a 32-bit word
# shift right and multiply, twice, then shift: Chris Wellons' "lowbias32", https://nullprogram.com/blog/2018/07/31/
ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
LAST_SHIFT = 16
DROPOUT, ZONEOUT = 1, 2  # purposes of a draw


@dataclass(frozen=True)
class Noise:
    """The noise of a recurrence in training, and its expectation in evaluation.

    Args:
        recurrent_dropout: share of the hidden state's values that the recurrent product reads as zero; one draw per
            sequence and unit, the same at all its steps. The others are scaled up by 1 / (1 - share).
        zoneout: share of the units that keep their value, drawn at each step, separately for each field of the state.
        seed: of all draws; None = evaluation: no dropout, and each state is its expectation over zoneout,
            `zoneout * before + (1 - zoneout) * after`.
        step: number of steps of every sequence before the first given one.

    Raises:
        OptionError: a share outside [0, 1).

    Sources: Y. Gal and Z. Ghahramani, "A Theoretically Grounded Application of Dropout in Recurrent Neural Networks",
    NeurIPS 2016, section 4; D. Krueger et al., "Zoneout: Regularizing RNNs by Randomly Preserving Hidden Activations",
    ICLR 2017, section 3.

    Example:
        >>> from unrolled.kernels.noise import Noise
        >>> Noise(zoneout=0.1), Noise(recurrent_dropout=0.2).acts, Noise(recurrent_dropout=0.2, seed=1).acts
        (Noise(recurrent_dropout=0.0, zoneout=0.1, seed=None, step=0), False, True)
    """

    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    seed: int | None = None
    step: int = 0

    def __post_init__(self) -> None:
        for name, share in (("recurrent_dropout", self.recurrent_dropout), ("zoneout", self.zoneout)):
            share_number(name, share)

    @property
    def drops(self) -> bool:
        """Whether recurrent dropout changes the input of the recurrent product."""
        return self.seed is not None and self.recurrent_dropout > 0

    @property
    def zones(self) -> bool:
        """Whether units keep their values, drawn or in expectation."""
        return self.zoneout > 0

    @property
    def acts(self) -> bool:
        """Whether there is any noise."""
        return self.drops or self.zones

    def drawn(self) -> "Noise":
        """Return this noise with a seed from torch's default generator, for training; unchanged if it is zero."""
        if not self.recurrent_dropout and not self.zoneout:
            return self
        refuse_graphs()
        return replace(self, seed=int(torch.randint(WORD, ())))

    def later(self, steps: int) -> "Noise":
        """Return the noise of the steps after the first `steps` steps."""
        return replace(self, step=self.step + steps)

    def check(self, cell: Cell) -> None:
        """Refuse dropout where it would have no effect, or where the product's input is unknown.

        Raises:
            OptionError: the cell's recurrence has no product, or does not declare its input.
        """
        if self.recurrent_dropout and not cell.can_drop:
            expected = "0 for a cell without a recurrent product, or that has not set `can_drop`"
            received = f"{self.recurrent_dropout} for {cell.short_name}"
            raise OptionError(message("recurrent_dropout", expected=expected, received=received))

    # ---- draws ------------------------------------------------------------------------------------

    def factors(self, hidden: Tensor) -> Tensor:
        """Return the factors of the hidden state in the recurrent product, (B, H) like `hidden`."""
        sequences = torch.arange(hidden.shape[0])
        words = finalised(_mixed(self._root(DROPOUT), sequences)[:, None] ^ unit_keys(0, hidden.shape[1]))  # (B, H)
        return (words >= threshold(self.recurrent_dropout)).to(hidden) / (1 - self.recurrent_dropout)

    def row_keys(self, inputs: Ragged) -> Tensor:
        """Return the keys of sequence and step for zoneout's draws, (N,) int64, on the CPU; zeros without zoneout."""
        if self.seed is None:
            return torch.zeros(inputs.num_steps, dtype=torch.int64)
        sequences = _mixed(self._root(ZONEOUT), inputs.sequence_ids.cpu())
        return _mixed(sequences, inputs.positions.cpu() + self.step)

    def kept_shares(self, keys: Tensor | None, index: int, field: Tensor) -> Tensor | float:
        """Return the share of the old value that each value of a state field keeps in a step, (B, H).

        Args:
            keys: of the rows, (B,), on the field's device; None in evaluation, where nothing is drawn.
            index: of the field.
            field: the values.
        """
        if self.seed is None or keys is None:
            return self.zoneout
        words = finalised(keys[:, None] ^ unit_keys(index, field.shape[1]).to(keys.device))
        return (words < threshold(self.zoneout)).to(field.dtype)

    def _root(self, purpose: int) -> Tensor:
        seed = self.seed or 0
        low, high = torch.tensor(seed % WORD), torch.tensor(seed // WORD % WORD)
        return _mixed(_mixed(low, high), torch.tensor(purpose))


def step(
    cell: Cell,
    noise: Noise,
    inputs: Tensor,
    state: State,
    factors: Tensor | None = None,
    keys: Tensor | None = None,
) -> tuple[Tensor, State]:
    """Take a cell's step with noise: the definition of the right result. Zoneout applies after the cell's step.

    Args:
        cell: any cell.
        noise: of the step.
        inputs: (B, F).
        state: the state before, fields (B, H).
        factors: the rows' part of `Noise.factors`, (B, H); None without dropout.
        keys: the rows' part of `Noise.row_keys`, (B,); None in evaluation.
    """
    if factors is None:
        output, after = cell.step(inputs, state)
    else:
        output, after = cell.step_reading(state[0] * factors, inputs, state)
    if not noise.zones:
        return output, after
    fields, shown = [], output
    for index, (old, new) in enumerate(zip(state, after, strict=True)):
        share = noise.kept_shares(keys, index, new)
        fields.append(share * old + (1 - share) * new)  # (B, H)
        if output is new:  # an output that is a state is the state after zoneout
            shown = fields[-1]
    return shown, type(after)(*fields)


def refuse_graphs() -> None:
    """Refuse to be recorded in a graph, which would repeat the draws of the recorded pass."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        raise UnsupportedError("recurrent dropout and zoneout are not recorded in graphs; run them outside")


SILENCE = Noise()


# ---- counting and hashing; a word of 32 bits in each int64 ---------------------------------------------


def threshold(share: float) -> int:
    """Return the word below which that share of all words lies."""
    return min(round(share * WORD), WORD - 1)


def unit_keys(field: int, width: int) -> Tensor:
    """Return the keys of the units of one field of the state, (H,)."""
    return _mixed(torch.tensor(field + 1), torch.arange(width))


def finalised(words: Tensor) -> Tensor:
    """Mix words so that every bit of the result depends on every bit of the word."""
    for shift, factor in ROUNDS:
        words = (words ^ (words >> shift)) * factor & (WORD - 1)
    return words ^ (words >> LAST_SHIFT)


def _mixed(key: Tensor, number: Tensor) -> Tensor:
    """Derive a key for each number from a key."""
    return finalised(key ^ finalised(number + 1))
