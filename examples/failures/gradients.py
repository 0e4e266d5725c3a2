"""A layer with known gradient flow, for the two gradient failures."""

import torch
from torch import nn

from unrolled.batch import Batch, LossSum
from unrolled.cells.elman import ElmanCell
from unrolled.inspection.gradient_flow import gradient_flow
from unrolled.inspection.records import LearningProblem
from unrolled.nn.stack import Recurrent
from unrolled.ragged import Ragged

WIDTH = 16


def elman_with_radius(radius: float) -> ElmanCell:
    """Return an Elman cell whose recurrent matrix is orthogonal times a factor: every singular value is that factor."""
    torch.manual_seed(0)
    cell = ElmanCell(1, WIDTH)
    with torch.no_grad():
        cell.weight_hh.mul_(radius)
    return cell


def gradient_fault(cell: ElmanCell, inputs: torch.Tensor) -> LearningProblem | None:
    """Return the gradient flow of a cell over one sequence (T, F) with a loss on its last output only."""
    batch = Batch({"x": Ragged(inputs, torch.tensor([len(inputs)]))})
    findings = gradient_flow(Recurrent(cell), batch, loss=last_output, detail=False).findings
    return findings[0] if findings else None


def last_output(model: nn.Module, batch: Batch) -> LossSum:
    """Return the sum of the last output."""
    return LossSum(model(batch.inputs["x"])[0].last().sum(), 1.0)
