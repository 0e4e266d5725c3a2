"""The state that a network carries from step to step: tensors, nested in tuples, lists and dictionaries.

Every tool that walks such a tree is here. One row of each tensor belongs to one sequence, (B, ...).
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from unrolled.errors import ArtifactError, UnsupportedError, message


def map_state(function: Callable[..., Tensor], *states: Any) -> Any:
    """Apply a function to the tensors of states; the nesting, and everything that is no tensor, stays.

    Args:
        function: takes one tensor of each state, and returns one.
        *states: tensors, None or plain values, in (named) tuples, lists and dictionaries; all nested alike.

    Example:
        >>> map_state(torch.add, (torch.tensor(1), [torch.tensor(2), None]), (torch.tensor(5), [torch.tensor(6), None]))
        (tensor(6), [tensor(8), None])
    """
    first = states[0]
    if isinstance(first, Tensor):
        return function(*states)
    if isinstance(first, dict):
        return {key: map_state(function, *(state[key] for state in states)) for key in first}
    if not isinstance(first, tuple | list):
        return first
    items = [map_state(function, *parts) for parts in zip(*states, strict=True)]
    return items if isinstance(first, list) else _tuple_like(first, items)


def state_tensors(state: Any) -> list[Tensor]:
    """List every tensor of a state, in order.

    Example:
        >>> state_tensors((torch.tensor(1), None, {"a": torch.tensor(2)}))
        [tensor(1), tensor(2)]
    """
    if isinstance(state, Tensor):
        return [state]
    if isinstance(state, dict):
        state = state.values()
    elif not isinstance(state, tuple | list):
        return []
    return [tensor for item in state for tensor in state_tensors(item)]


def with_tensors(state: Any, tensors: Iterable[Tensor]) -> Any:
    """Return a state nested as this one, with other tensors, in the order of `state_tensors`.

    Example:
        >>> with_tensors((torch.tensor(1), [torch.tensor(2)]), [torch.tensor(3), torch.tensor(4)])
        (tensor(3), [tensor(4)])
    """
    following = iter(tensors)
    return map_state(lambda _: next(following), state)


def choose_rows(condition: Tensor, chosen: Any, other: Any) -> Any:
    """Combine two states: rows of `chosen` where the condition (B,) holds, and of `other` elsewhere.

    Example:
        >>> choose_rows(torch.tensor([True, False]), (torch.tensor([1, 2]),), (torch.tensor([3, 4]),))
        (tensor([1, 4]),)
    """

    def choose_field(yes: Tensor, no: Tensor) -> Tensor:
        return torch.where(condition.to(yes.device).view(-1, *[1] * (yes.ndim - 1)), yes, no)

    return map_state(choose_field, chosen, other)


def state_to_plain(state: Any, tensors: list[Tensor]) -> Any:
    """Return the nesting of a state as plain values, for a file; its tensors are appended to `tensors`.

    Raises:
        UnsupportedError: a value that is neither a tensor nor plain.

    Example:
        >>> tensors = []
        >>> state_to_plain((torch.zeros(2), None), tensors), len(tensors)
        ({'tuple': [{'tensor': 0}, {'value': None}]}, 1)
    """
    if isinstance(state, Tensor):
        tensors.append(state)
        return {"tensor": len(tensors) - 1}
    if state is None or isinstance(state, bool | int | float | str):
        return {"value": state}
    if isinstance(state, dict) and all(isinstance(key, str) for key in state):
        return {"dict": {key: state_to_plain(item, tensors) for key, item in state.items()}}
    if not isinstance(state, tuple | list):
        expected = "a carried state of tensors in (named) tuples, lists or dicts"
        raise UnsupportedError(message("checkpoint", expected=expected, received=type(state).__name__))
    items = [state_to_plain(item, tensors) for item in state]
    if isinstance(state, list):
        return {"list": items}
    if _is_named(type(state)):
        return {"named": [type(state).__module__, type(state).__qualname__], "items": items}
    return {"tuple": items}


def state_from_plain(structure: Mapping[str, Any], tensors: Mapping[int, Tensor]) -> Any:
    """Restore what `state_to_plain` returned.

    The class of a named tuple is looked up among the loaded modules; a file can cause no import.

    Raises:
        ArtifactError: a class that is not in use.
    """
    if "tensor" in structure:
        return tensors[structure["tensor"]]
    if "value" in structure:
        return structure["value"]
    if "dict" in structure:
        return {key: state_from_plain(item, tensors) for key, item in structure["dict"].items()}
    for name, kind in (("tuple", tuple), ("list", list)):
        if name in structure:
            return kind(state_from_plain(item, tensors) for item in structure[name])
    module, name = structure["named"]
    kind: Any = sys.modules.get(module)
    for part in name.split("."):
        kind = getattr(kind, part, None)
    items = [state_from_plain(item, tensors) for item in structure["items"]]
    if not _is_named(kind) or len(kind._fields) != len(items):
        raise ArtifactError(message("checkpoint", expected="a state of a class in use", received=f"{module}.{name}"))
    return kind(*items)


def _is_named(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def _tuple_like(first: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    return type(first)(*items) if _is_named(type(first)) else tuple(items)
