"""Padding that changes results: the mean over time counts steps that do not exist.

Run in the folder examples: python -m failures.padding
"""

import torch
from torch import Tensor

from unrolled.inspection.checks import padding_changes_results
from unrolled.inspection.findings import Finding
from unrolled.nn.pooling import Mean
from unrolled.nn.stack import Stack
from unrolled.ragged import Ragged


def main(broken: bool = True) -> Finding | None:
    """Return a model that takes a padded tensor and ignores the lengths; or one that uses them."""
    torch.manual_seed(0)
    stack, mean = Stack(2, 8, "lstm"), Mean(8)

    def careless(padded: Tensor, lengths: Tensor) -> Tensor:
        everything = Ragged(padded.flatten(0, 1), torch.full_like(lengths, padded.shape[1]))
        return mean(stack(everything)[0])

    def careful(padded: Tensor, lengths: Tensor) -> Tensor:
        return mean(stack(Ragged.from_padded(padded, lengths))[0])

    return padding_changes_results(careless if broken else careful, Ragged(torch.randn(14, 2), [4, 1, 9]))


if __name__ == "__main__":
    print(main())
