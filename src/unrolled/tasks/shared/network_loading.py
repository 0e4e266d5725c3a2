"""Loading of a network that may be no larger than the weights in its folder."""

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules import module as hooks

from unrolled.errors import ArtifactError, message

MODULES_PER_TENSOR = 16  # modules per weight: wrappers, dropouts and heads are modules without weights of their own
SPARE = 1 << 20  # numbers in buffers that are computed and therefore not among the saved weights


def network_for(make: Callable[[], nn.Module], weights: Mapping[str, Tensor]) -> Any:
    """Return the network that `make` makes, with these weights, ready to predict.

    An outline without memory is made and compared first. So a folder that describes a larger network than its weights
    fill costs neither the memory nor the time of that network.

    Args:
        make: makes the network, from sizes that the folder names.
        weights: the saved `state_dict`.

    Raises:
        ArtifactError: the network and the weights do not fit together.
    """
    with _no_larger_than(weights), torch.device("meta"):
        outline = make().state_dict()
    wanted = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in outline.items()}
    found = {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in weights.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise _misfit(f"{name} as {_shown(wanted.get(name))}", f"it as {_shown(found.get(name))}")
    network = make()
    network.load_state_dict(dict(weights))
    return network.eval()


@contextmanager
def _no_larger_than(weights: Mapping[str, Tensor]) -> Generator[None]:
    """Stop this thread from making modules once they have more parts or numbers than the weights."""
    here, numbers = threading.get_ident(), sum(tensor.numel() for tensor in weights.values()) + SPARE
    made = {"modules": 0, "tensors": 0, "numbers": 0}
    most = {"modules": MODULES_PER_TENSOR * (len(weights) + 1), "tensors": 4 * (len(weights) + 1), "numbers": numbers}

    def count(**more: int) -> None:
        for what, number in more.items():
            made[what] += number
            if made[what] > most[what]:
                raise _misfit("a network that its weights fill", f"sizes that need more than {most[what]} {what}")

    def on_module(owner: nn.Module, name: str, module: nn.Module | None) -> None:
        if threading.get_ident() == here:
            count(modules=1)

    def on_tensor(owner: nn.Module, name: str, tensor: Tensor | None) -> None:
        if threading.get_ident() == here and tensor is not None:
            count(tensors=1, numbers=tensor.numel())

    handles = [
        hooks.register_module_module_registration_hook(on_module),
        hooks.register_module_parameter_registration_hook(on_tensor),
        hooks.register_module_buffer_registration_hook(on_tensor),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _misfit(expected: str, received: str) -> ArtifactError:
    return ArtifactError(message("weights", expected=expected, received=received))


def _shown(form: tuple[tuple[int, ...], torch.dtype] | None) -> str:
    return "nothing" if form is None else f"{form[1]} of shape {list(form[0])}".replace("torch.", "")
