"""Vanishing gradient: each step back multiplies it by less than 1, and the model learns nothing from early steps.

Run in the folder examples: python -m failures.vanishing
"""

import torch

from failures.gradients import elman_with_radius, gradient_fault
from unrolled.inspection.records import LearningProblem


def main(broken: bool = True) -> LearningProblem | None:
    """Return a recurrent matrix with singular values 0.7; or with 1. Inputs are small, so that tanh' is about 1."""
    cell = elman_with_radius(0.7 if broken else 1.0)
    return gradient_fault(cell, 1e-3 * torch.randn(100, 1))


if __name__ == "__main__":
    print(main())
