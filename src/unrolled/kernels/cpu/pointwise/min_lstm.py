"""minLSTM: slots i, f, n; no recurrent product, so a step is only this."""

from collections.abc import Sequence

from unrolled.kernels.cpu.activations import sigmoid
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise

SHUT = 1e-30  # the least gate that the quotient still sees


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, None]:
    """`cells.min_lstm.MinLSTM.step` behind the product."""
    store, forget, candidate = sigmoid(sums[0]), sigmoid(sums[1]), sums[2]
    keep = _share(store, forget)
    return [store, forget, candidate], candidate + keep * (hidden - candidate), None


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Its derivative: keep depends on log f - log i, whose slopes are 1 - f and 1 - i."""
    store, forget, candidate = kept
    keep = _share(store, forget)
    d_difference = d_hidden * (at.hidden_before - candidate) * keep * (1 - keep)
    d_sums = [d_difference * (store - 1), d_difference * (1 - forget), d_hidden * (1 - keep)]
    return Back(d_sums, hidden=d_hidden * keep)


def _share(store: Number, forget: Number) -> Number:
    """f / (f + i); one half where both are shut, as in the limit."""
    store, forget = store.at_least(SHUT), forget.at_least(SHUT)
    return forget / (forget + store)


MIN_LSTM = Pointwise(3, (0, 1, 2), (), has_cell=False, forward=forward, backward=backward)
