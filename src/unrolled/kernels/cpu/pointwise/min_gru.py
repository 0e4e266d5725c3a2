"""minGRU: slots z, n; no recurrent product, so a step is only this."""

from collections.abc import Sequence

from unrolled.kernels.cpu.activations import sigmoid
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, None]:
    """Compute `cells.min_gru.MinGRUCell.step` after the product."""
    update, candidate = sigmoid(sums[0]), sums[1]
    return [update, candidate], hidden + update * (candidate - hidden), None


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Compute the derivative of `forward`."""
    update, candidate = kept
    d_candidate = d_hidden * update
    return Back([d_candidate * (candidate - at.hidden_before) * (1 - update), d_candidate], d_hidden - d_candidate)


MIN_GRU = Pointwise(2, (0, 1), (), has_cell=False, forward=forward, backward=backward)
