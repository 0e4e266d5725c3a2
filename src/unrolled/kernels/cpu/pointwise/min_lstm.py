"""minLSTM: slots i, f, n in, the larger gate, the share that is kept and n out; no recurrent product.

Only the ratio of the gates matters, so it is computed from their sums and never from the gates, which are 0 in float32
for sums below -104.
"""

from collections.abc import Sequence

from unrolled.kernels.cpu.activations import exp, power
from unrolled.kernels.cpu.emit import Number
from unrolled.kernels.cpu.pointwise.base import At, Back, Pointwise


def forward(
    sums: Sequence[Number], hidden: Number, cell: Number, own: Sequence[Number]
) -> tuple[list[Number], Number, None]:
    """Compute `MinLSTM.step` after the product: i / f = e^(min(s, 0) - min(r, 0)) (1 + e^-|r|) / (1 + e^-|s|).

    Here s is the sum of the store gate i, and r that of the forget gate f.
    """
    store, forget, candidate = sums
    code = store.code
    far_store, far_forget = exp(-store.magnitude()), exp(-forget.magnitude())
    to_store, to_forget = far_store + 1.0, far_forget + 1.0
    keep = to_store / (to_store + power(store.at_most(0.0) - forget.at_most(0.0)) * to_forget)
    stores = store.compare(">", forget)
    larger, far, to = (
        code.choose(stores, one, other)
        for one, other in ((store, forget), (far_store, far_forget), (to_store, to_forget))
    )
    gate = code.choose(larger.compare("<", 0.0), far, code.number(1.0)) / to
    return [gate, keep, candidate], candidate + keep * (hidden - candidate), None


def backward(kept: Sequence[Number], at: At, d_hidden: Number, d_cell: Number) -> Back:
    """Compute the derivative of `forward`: keep depends on log f - log i, whose slopes are 1 - f and 1 - i."""
    gate, keep, candidate = kept
    code, rest = keep.code, 1 - keep
    keeps = keep.compare(">=", 0.5)
    smaller = gate * code.choose(keeps, rest / keep, keep / rest)
    store, forget = code.choose(keeps, smaller, gate), code.choose(keeps, gate, smaller)
    d_difference = d_hidden * (at.hidden_before - candidate) * keep * rest
    d_sums = [d_difference * (store - 1), d_difference * (1 - forget), d_hidden * rest]
    return Back(d_sums, hidden=d_hidden * keep)


MIN_LSTM = Pointwise(3, (0, 1, 2), (), has_cell=False, forward=forward, backward=backward)
