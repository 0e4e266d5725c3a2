"""Exploding gradient: each step back multiplies it by more than 1, and one update ruins the weights.

Run in the folder examples: python -m failures.exploding
"""

import torch

from failures.gradients import elman_with_radius, gradient_fault
from unrolled.inspection.records import LearningProblem


def main(broken: bool = True) -> LearningProblem | None:
    """Return a matrix with singular values 1.5, or 1. Inputs are tiny, as a large state would saturate tanh."""
    cell = elman_with_radius(1.5 if broken else 1.0)
    return gradient_fault(cell, 1e-6 * torch.randn(40, 1))


if __name__ == "__main__":
    print(main())
