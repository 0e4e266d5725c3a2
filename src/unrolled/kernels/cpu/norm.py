"""Layer normalisation of a row: mean 0 and variance 1 over some slots of all units."""

from collections.abc import Callable, Sequence

from unrolled.kernels.cpu.emit import Number, Pointer
from unrolled.kernels.cpu.row import StepRow, Unit

EPSILON = 1e-5  # torch.nn.functional.layer_norm's


def normalise(row: StepRow, slots: Sequence[int], place: int) -> None:
    """Replace the slots by their normalised values; keep 1 / deviation in the tail for the backward pass."""
    mean, scale = statistics(row, lambda unit: [unit.slot(slot) for slot in slots], len(slots))
    row.keep(place, scale)

    def write(unit: Unit) -> None:
        for slot in slots:
            at = unit.slot(slot)
            at.store(unit.real((at.vector() - mean) * scale))

    row.each(write)


def normalise_back(row: StepRow, slots: Sequence[int], place: int, gradient: Callable[[Unit, int], Number]) -> None:
    """Replace normalised values by the gradients of the original values.

    Args:
        row: to work on.
        slots: hold the normalised values.
        place: as in `normalise`.
        gradient: of the normalised value in the i-th of the slots.
    """
    scale, count = row.kept(place), row.count(len(slots))

    def terms(unit: Unit) -> list[Number]:
        given = [gradient(unit, index) for index in range(len(slots))]
        return [added(given), added([d * unit.slot(slot).vector() for d, slot in zip(given, slots, strict=True)])]

    mean, slope = (total / count for total in row.each(terms, sums=2))

    def write(unit: Unit) -> None:
        for index, slot in enumerate(slots):
            part = gradient(unit, index) - mean - unit.slot(slot).vector() * slope
            unit.slot(slot).store(unit.real(part * scale))

    row.each(write)


def statistics(row: StepRow, places: Callable[[Unit], Sequence[Pointer]], number: int) -> tuple[Number, Number]:
    """Compute the mean, and 1 / sqrt(variance + epsilon), of `number` values of every unit.

    The first mean has a rounding error, large for a large mean; it is corrected by the mean of the differences from it,
    so that equal values become zeros.
    """
    count = row.count(number)
    (total,) = row.each(lambda unit: [added([place.vector() for place in places(unit)])], sums=1)
    mean = total / count

    def moments(unit: Unit) -> list[Number]:
        apart = [place.vector() - mean for place in places(unit)]
        return [added(apart), added([distance * distance for distance in apart])]

    rest, spread = (total / count for total in row.each(moments, sums=2))
    variance = (spread - rest * rest).at_least(0.0)
    return mean + rest, 1.0 / row.code.root(variance + EPSILON)


def added(numbers: Sequence[Number]) -> Number:
    """Add all numbers."""
    total = numbers[0]
    for number in numbers[1:]:
        total = total + number
    return total
