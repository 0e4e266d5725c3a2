"""Sparse gradients: an update of a table with a million rows costs only as much as the few rows that it changes.

An embedding made with `sparse=True` has a gradient that lists the rows that were used. Its moments are kept for all
rows and updated for those alone, which is Adam with a step count for each row (`torch.optim.SparseAdam`).
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer


def sparse_parameters(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights with sparse gradients."""
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag) and m.sparse]
    found = {id(p): p for table in tables for p in table.parameters(recurse=False) if p.requires_grad}
    return list(found.values())


def gradient_values(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Return the numbers of every gradient, to be scaled in place; the entries of a repeated row are added first."""
    values = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        else:
            values.append(parameter.grad)
    return values


class Together:
    """Several optimisers, for different weights of one model, with the interface of one.

    Args:
        parts: the optimisers.

    Example:
        >>> import torch
        >>> dense, table = nn.Linear(2, 2), nn.Embedding(9, 2, sparse=True)
        >>> both = Together(torch.optim.AdamW(dense.parameters()), torch.optim.SparseAdam(table.parameters()))
        >>> dense(table(torch.tensor([3]))).sum().backward()
        >>> both.step()
        >>> sorted(both.state_dict()["state"])  # the first weight, the second, the table
        [0, 1, 2]
    """

    def __init__(self, *parts: Optimizer) -> None:
        self.parts = parts
        self.defaults = parts[0].defaults

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Parameter groups of all of them, in order."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        """Make one step with each optimiser."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Clear the gradients of each optimiser."""
        for part in self.parts:
            part.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all weights, numbered one optimiser after the other."""
        state: dict[int, Any] = {}
        for first, part in self._numbered():
            state |= {first + index: values for index, values in part.state_dict()["state"].items()}
        return {"state": state, "param_groups": [part.state_dict()["param_groups"] for part in self.parts]}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for (first, part), groups in zip(self._numbered(), saved["param_groups"], strict=True):
            count = _count(part)
            own = {index - first: values for index, values in saved["state"].items() if 0 <= index - first < count}
            part.load_state_dict({"state": own, "param_groups": groups})

    def _numbered(self) -> list[tuple[int, Optimizer]]:
        found, first = [], 0
        for part in self.parts:
            found.append((first, part))
            first += _count(part)
        return found


def _count(part: Optimizer) -> int:
    return sum(len(group["params"]) for group in part.param_groups)
