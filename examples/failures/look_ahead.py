"""A look into the future: a model that predicts the next value but reads in both directions sees its own target.

Run in the folder examples: python -m failures.look_ahead
"""

import torch

from unrolled.inspection.checks import looks_into_the_future
from unrolled.inspection.findings import Finding
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged


def main(broken: bool = True) -> Finding | None:
    """Return a bidirectional layer, which scores well on next values and cannot forecast; or a causal one."""
    torch.manual_seed(0)
    model = Stack(1, 8, "gru", bidirectional=broken)
    return looks_into_the_future(model, Ragged(torch.randn(30, 1), [12, 18]))


if __name__ == "__main__":
    print(main())
