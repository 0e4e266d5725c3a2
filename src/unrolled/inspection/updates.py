"""Updates: the size of an optimiser step relative to the size of each weight matrix."""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def update_ratios(
    model: nn.Module,
    gradients: Mapping[str, Tensor],
    learning_rate: float | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> dict[str, float]:
    """Compute `|update| / |weight|` of every trainable matrix; vectors are left out, as biases start at zero.

    Args:
        model: with the weights, which stay unchanged.
        gradients: of the mean loss, by name.
        learning_rate: of plain gradient descent; None = use the optimiser.
        optimizer: its next step is made and undone, including its moments; None without a learning rate = no ratios.

    Example:
        >>> layer = nn.Linear(2, 2)
        >>> ratios = update_ratios(layer, {"weight": 0.5 * layer.weight.detach()}, learning_rate=0.1)
        >>> round(ratios["weight"], 3)
        0.05
    """
    weights = {name: weight for name, weight in model.named_parameters() if weight.ndim > 1 and name in gradients}
    if learning_rate is not None:
        return {n: ratio(learning_rate * gradients[n], w.detach()) for n, w in weights.items() if bool(w.any())}
    if optimizer is None:
        return {}
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    moved = _moved(model, gradients, optimizer)
    return {name: ratio(moved[name] - before[name], before[name]) for name in weights if bool(before[name].any())}


def ratio(update: Tensor, weight: Tensor) -> float:
    """Return the norm of an update divided by that of a weight, which is not zero."""
    return float(update.norm() / weight.norm())


def _moved(model: nn.Module, gradients: Mapping[str, Tensor], optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the weights after one step of the optimiser, which is then undone."""
    parameters = dict(model.named_parameters())
    kept = {name: weight.detach().clone() for name, weight in parameters.items()}
    own = {name: weight.grad for name, weight in parameters.items()}
    memory = copy.deepcopy(optimizer.state_dict())
    try:
        for name, weight in parameters.items():
            weight.grad = gradients[name].to(weight, copy=True) if name in gradients else None
        optimizer.step()
        return {name: weight.detach().clone() for name, weight in parameters.items()}
    finally:
        optimizer.load_state_dict(memory)
        with torch.no_grad():
            for name, weight in parameters.items():
                weight.copy_(kept[name])
                weight.grad = own[name]
