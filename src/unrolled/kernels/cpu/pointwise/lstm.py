"""LSTM: slots i, f, g, o."""

from collections.abc import Sequence

from unrolled.kernels.cpu.activations import sigmoid, tanh
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, Number]:
    """Compute `cells.lstm.LSTMCell.step` between the products."""
    store, forget, candidate, output = sigmoid(sums[0]), sigmoid(sums[1]), tanh(sums[2]), sigmoid(sums[3])
    kept = [store, forget, candidate, output]
    cell = new_cell(kept, cell)
    return kept, output * tanh(cell), cell


def new_cell(kept: Sequence[Number], cell: Number) -> Number:
    """Compute the next cell state."""
    store, forget, candidate, _ = kept
    return forget * cell + store * candidate


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Compute the derivative of `forward`."""
    store, forget, candidate, output = kept
    shown = tanh(at.cell)
    d_cell = d_cell + d_hidden * output * (1 - shown * shown)
    d_sums = [
        d_cell * candidate * store * (1 - store),
        d_cell * at.cell_before * forget * (1 - forget),
        d_cell * store * (1 - candidate * candidate),
        d_hidden * shown * output * (1 - output),
    ]
    return Back(d_sums, cell=d_cell * forget)


LSTM = Pointwise(4, (0, 1, 2, 3), (0, 1, 2, 3), True, forward, backward, new_cell=new_cell)
