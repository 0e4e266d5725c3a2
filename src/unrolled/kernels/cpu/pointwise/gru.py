"""GRU: slots n (input part), r, z, n (recurrent part); the reset gate acts on the recurrent part alone."""

from collections.abc import Sequence

from unrolled.kernels.cpu.activations import sigmoid, tanh
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, None]:
    """Compute `cells.gru.GRUCell.step` between the products."""
    reset, update, recalled = sigmoid(sums[1]), sigmoid(sums[2]), sums[3]
    new = tanh(sums[0] + reset * recalled)
    return [new, reset, update, recalled], new + update * (hidden - new), None


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Compute the derivative of `forward`."""
    new, reset, update, recalled = kept
    d_new = d_hidden * (1 - update) * (1 - new * new)
    d_update = d_hidden * (at.hidden_before - new) * update * (1 - update)
    d_reset = d_new * recalled * reset * (1 - reset)
    return Back([d_new, d_reset, d_update, d_new * reset], hidden=d_hidden * update)


GRU = Pointwise(4, (2, 0, 1), (0, 1, 2), has_cell=False, forward=forward, backward=backward)
