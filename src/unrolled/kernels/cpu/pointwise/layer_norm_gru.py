"""Layer-normalised GRU: slots U x (r, z, n), the gates and the recurrent part of n, W h (r, z, n)."""

from collections.abc import Mapping

from torch import Tensor

from unrolled.kernels.cpu.activations import sigmoid, tanh
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.norm import normalise, normalise_back
from unrolled.kernels.cpu.pointwise.base import Rowwise
from unrolled.kernels.cpu.row import StepRow, Unit

DRIVE, GATES, RECURRENT, KEPT = (0, 1, 2), (3, 4, 5), 6, (7, 8, 9)
DRIVE_GAIN, KEPT_GAIN, DRIVE_BIAS, KEPT_BIAS = 0, 3, 6, 9  # the first place has the sum of the biases of r and z
NORMS = (((0, 1), 0), ((2,), 1), ((7, 8), 2), ((9,), 3))  # slots normalised together, and their place in the tail


def forward(row: StepRow) -> None:
    """Compute `cells.layer_norm_gru.LayerNormGRUCell.step` between the products."""
    for slots, place in NORMS:
        normalise(row, slots, place)

    def advance(unit: Unit) -> None:
        drive = [unit.own(DRIVE_GAIN + i) * unit.slot(DRIVE[i]).vector() + unit.own(DRIVE_BIAS + i) for i in range(3)]
        kept = [unit.own(KEPT_GAIN + i) * unit.slot(KEPT[i]).vector() for i in range(3)]
        reset, update = sigmoid(drive[0] + kept[0]), sigmoid(drive[1] + kept[1])
        recurrent = kept[2] + unit.own(KEPT_BIAS)
        candidate = tanh(drive[2] + reset * recurrent)
        for slot, number in zip((*GATES, RECURRENT), (reset, update, candidate, recurrent), strict=True):
            unit.slot(slot).store(number)
        unit.at(row.after).store(candidate + update * (unit.at(row.before).vector() - candidate))

    row.each(advance)


def backward(row: StepRow) -> None:
    """Compute the derivative of `forward`; the slots become the gradients of their sums."""

    def retreat(unit: Unit) -> None:
        reset, update, candidate = (unit.slot(slot).vector() for slot in GATES)
        d_hidden = unit.at(row.d_after).vector() + unit.at(row.d_hidden).vector()
        d_new = d_hidden * (1 - update) * (1 - candidate * candidate)
        d_update = d_hidden * (unit.at(row.before).vector() - candidate) * update * (1 - update)
        d_reset = d_new * unit.slot(RECURRENT).vector() * reset * (1 - reset)
        d_recurrent = d_new * reset
        for i, number in enumerate((d_reset, d_update, d_new)):
            unit.slot(GATES[i]).store(number)
            unit.add_to_own(DRIVE_GAIN + i, number * unit.slot(DRIVE[i]).vector())
            unit.add_to_own(DRIVE_BIAS + i, number)
        for i, number in enumerate((d_reset, d_update, d_recurrent)):
            unit.add_to_own(KEPT_GAIN + i, number * unit.slot(KEPT[i]).vector())
        unit.add_to_own(KEPT_BIAS, d_recurrent)
        unit.slot(RECURRENT).store(d_recurrent)
        unit.at(row.d_hidden).store(d_hidden * update)

    row.each(retreat)
    gradients = {**dict(zip(DRIVE, GATES, strict=True)), **dict(zip(KEPT, (*GATES[:2], RECURRENT), strict=True))}
    gains = {**{slot: DRIVE_GAIN + i for i, slot in enumerate(DRIVE)}, **{s: KEPT_GAIN + i for i, s in enumerate(KEPT)}}
    for slots, place in NORMS:

        def through_gain(unit: Unit, index: int, slots: tuple[int, ...] = slots) -> Number:
            slot = slots[index]
            return unit.slot(gradients[slot]).vector() * unit.own(gains[slot])

        normalise_back(row, slots, place, through_gain)


def own_numbers(weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the gains of both products, and the biases, those of r and z added."""
    drive, kept = weights["bias_ih"].chunk(3), weights["bias_hh"].chunk(3)
    biases = [drive[0] + kept[0], drive[1] + kept[1], drive[2], kept[2]]
    return [*weights["norm_ih_gain"].chunk(3), *weights["norm_hh_gain"].chunk(3), *biases]


LAYER_NORM_GRU = Rowwise(10, (0, 1, 2), (0, 1, 2), False, forward, backward, 10, own_numbers)
