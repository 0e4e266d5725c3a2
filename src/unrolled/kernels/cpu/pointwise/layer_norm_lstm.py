"""Layer-normalised LSTM: slots U x (i, f, g, o), the gates, W h (i, f, g, o)."""

from collections.abc import Mapping

from torch import Tensor

from unrolled.kernels.cpu.activations import sigmoid, tanh
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.norm import normalise, normalise_back, statistics
from unrolled.kernels.cpu.pointwise.base import Rowwise
from unrolled.kernels.cpu.row import StepRow, Unit

DRIVE, GATES, KEPT = (0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11)
DRIVE_GAIN, KEPT_GAIN, BIAS, CELL_GAIN, CELL_BIAS = 0, 4, 8, 12, 13  # the first of the units' own numbers
DRIVE_SCALE, KEPT_SCALE, CELL_MEAN, CELL_SCALE = range(4)  # in the tail


def forward(row: StepRow) -> None:
    """Compute `cells.layer_norm_lstm.LayerNormLSTMCell.step` between the products."""
    normalise(row, DRIVE, DRIVE_SCALE)
    normalise(row, KEPT, KEPT_SCALE)

    def advance(unit: Unit) -> None:
        sums = [
            unit.own(DRIVE_GAIN + gate) * unit.slot(DRIVE[gate]).vector()
            + unit.own(KEPT_GAIN + gate) * unit.slot(KEPT[gate]).vector()
            + unit.own(BIAS + gate)
            for gate in range(4)
        ]
        store, forget, candidate, output = sigmoid(sums[0]), sigmoid(sums[1]), tanh(sums[2]), sigmoid(sums[3])
        for slot, number in zip(GATES, (store, forget, candidate, output), strict=True):
            unit.slot(slot).store(number)
        unit.at(row.cell).store(forget * unit.at(row.cell_before).vector() + store * candidate)

    row.each(advance)
    mean, scale = statistics(row, lambda unit: [unit.at(row.cell)], 1)
    row.keep(CELL_MEAN, mean)
    row.keep(CELL_SCALE, scale)

    def show(unit: Unit) -> None:
        level = unit.real((unit.at(row.cell).vector() - mean) * scale)
        shown = tanh(unit.own(CELL_GAIN) * level + unit.own(CELL_BIAS))
        unit.at(row.after).store(unit.slot(GATES[3]).vector() * shown)

    row.each(show)


def backward(row: StepRow) -> None:
    """Compute the derivative of `forward`; the slots of the gates become the gradients of their sums."""
    mean, scale = row.kept(CELL_MEAN), row.kept(CELL_SCALE)

    def level_of(unit: Unit) -> Number:
        return unit.real((unit.at(row.cell).vector() - mean) * scale)

    def unshow(unit: Unit) -> list[Number]:
        level, output = level_of(unit), unit.slot(GATES[3]).vector()
        shown = tanh(unit.own(CELL_GAIN) * level + unit.own(CELL_BIAS))
        d_hidden = unit.at(row.d_after).vector() + unit.at(row.d_hidden).vector()
        d_sum = d_hidden * output * (1 - shown * shown)
        d_level = d_sum * unit.own(CELL_GAIN)
        unit.add_to_own(CELL_GAIN, d_sum * level)
        unit.add_to_own(CELL_BIAS, d_sum)
        unit.slot(GATES[3]).store(d_hidden * shown * output * (1 - output))
        unit.at(row.d_hidden).store(d_level)  # for the next visit
        return [d_level, d_level * level]

    shift, slope = (total / row.count() for total in row.each(unshow, sums=2))

    def retreat(unit: Unit) -> None:
        d_level = unit.at(row.d_hidden)
        d_cell = unit.at(row.d_cell).vector() + unit.real((d_level.vector() - shift - level_of(unit) * slope) * scale)
        store, forget, candidate = (unit.slot(slot).vector() for slot in GATES[:3])
        d_sums = [
            d_cell * candidate * store * (1 - store),
            d_cell * unit.at(row.cell_before).vector() * forget * (1 - forget),
            d_cell * store * (1 - candidate * candidate),
            unit.slot(GATES[3]).vector(),
        ]
        for gate, number in enumerate(d_sums):
            unit.slot(GATES[gate]).store(number)
            unit.add_to_own(DRIVE_GAIN + gate, number * unit.slot(DRIVE[gate]).vector())
            unit.add_to_own(KEPT_GAIN + gate, number * unit.slot(KEPT[gate]).vector())
            unit.add_to_own(BIAS + gate, number)
        unit.at(row.d_cell).store(d_cell * forget)
        d_level.store(row.code.number(0.0))

    row.each(retreat)
    for slots, gain, scale_at in ((DRIVE, DRIVE_GAIN, DRIVE_SCALE), (KEPT, KEPT_GAIN, KEPT_SCALE)):

        def through_gain(unit: Unit, gate: int, gain: int = gain) -> Number:
            return unit.slot(GATES[gate]).vector() * unit.own(gain + gate)

        normalise_back(row, slots, scale_at, through_gain)


def own_numbers(weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the gains of both products, the sum of their biases, and the gain and the bias of the cell."""
    both = weights["bias_ih"] + weights["bias_hh"]
    stacked = (weights["norm_ih_gain"], weights["norm_hh_gain"], both)
    return [part for whole in stacked for part in whole.chunk(4)] + [
        weights["norm_cell_gain"],
        weights["norm_cell_bias"],
    ]


LAYER_NORM_LSTM = Rowwise(12, (0, 1, 2, 3), (0, 1, 2, 3), True, forward, backward, 14, own_numbers)
