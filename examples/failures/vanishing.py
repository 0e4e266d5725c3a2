"""Vanishing: each step back multiplies the gradient by less than 1, and the early steps teach nothing.

Run in the folder examples: python -m failures.vanishing
"""

import torch

from failures.gradients import STEPS, elman_with_radius, gradient_fault, gradient_norms
from unrolled.inspection.finding import Finding


def main(broken: bool = True) -> Finding | None:
    """A recurrent matrix with singular values 0.9; or with 1. Inputs are small, so that tanh' is about 1."""
    cell = elman_with_radius(0.9 if broken else 1.0)
    return gradient_fault(gradient_norms(cell, 1e-3 * torch.randn(STEPS, 1)))


if __name__ == "__main__":
    print(main())
