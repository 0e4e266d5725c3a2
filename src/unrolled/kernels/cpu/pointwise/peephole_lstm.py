"""LSTM whose gates see the cell: slots i, f, g, o; own numbers: the peepholes of i, f, o."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from unrolled.kernels.cpu.activations import sigmoid, tanh
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, Number]:
    """Compute `cells.peephole_lstm.PeepholeLSTMCell.step` between the products."""
    store, forget = sigmoid(sums[0] + own[0] * cell), sigmoid(sums[1] + own[1] * cell)
    candidate = tanh(sums[2])
    cell = new_cell([store, forget, candidate], cell)
    output = sigmoid(sums[3] + own[2] * cell)
    return [store, forget, candidate, output], output * tanh(cell), cell


def new_cell(kept: Sequence[Number], cell: Number) -> Number:
    """Compute the next cell state."""
    store, forget, candidate = kept[:3]
    return forget * cell + store * candidate


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Compute the derivative of `forward`."""
    store, forget, candidate, output = kept
    shown = tanh(at.cell)
    d_output = d_hidden * shown * output * (1 - output)
    d_cell = d_cell + d_hidden * output * (1 - shown * shown) + d_output * at.own[2]
    d_store = d_cell * candidate * store * (1 - store)
    d_forget = d_cell * at.cell_before * forget * (1 - forget)
    return Back(
        [d_store, d_forget, d_cell * store * (1 - candidate * candidate), d_output],
        cell=d_cell * forget + d_store * at.own[0] + d_forget * at.own[1],
        own=[d_store * at.cell_before, d_forget * at.cell_before, d_output * at.cell],
    )


def own_numbers(weights: Mapping[str, Tensor]) -> list[Tensor]:
    """Return the three peepholes."""
    return [weights[f"peephole_{gate}"] for gate in ("input", "forget", "output")]


PEEPHOLE_LSTM = Pointwise(4, (0, 1, 2, 3), (0, 1, 2, 3), True, forward, backward, 3, own_numbers, new_cell=new_cell)
