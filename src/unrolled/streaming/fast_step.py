"""A step of a stream without torch, in microseconds, for networks whose layers all support it."""

from threading import Lock
from typing import Any

import numpy as np
from torch import nn

from unrolled.arrangements.many_to_many import ManyToMany
from unrolled.arrangements.one_to_many import OneToMany
from unrolled.cells.base import Cell
from unrolled.errors import UnsupportedError
from unrolled.kernels.cpu.step import Stepper
from unrolled.nn.stack import Recurrent, Stack


class Quick:
    """A stack of cells and a linear layer, stepped without torch on states as vectors.

    Steps share buffers: hold `lock` from writing `inputs` until the result is read.

    Args:
        network: gives one answer per step, from a causal stack of float32 cells with CPU kernels.

    Attributes:
        inputs: input of one step, (F,); fill it before `step`.
        reads: the network's input layer.

    Raises:
        UnsupportedError: another kind of network.

    Example:
        >>> from unrolled.arrangements.many_to_many import NextStep
        >>> from unrolled.codecs.base import Spec
        >>> from unrolled.nn.heads import NumberOutput
        >>> from unrolled.nn.inputs import InputLayer
        >>> net = NextStep(InputLayer({"x": Spec("vector", 2)}), Stack(2, 4), NumberOutput(2)).eval()
        >>> quick = Quick(net)
        >>> quick.inputs[:] = [0.5, -1.0]
        >>> raw, state = quick.step(np.zeros(8, dtype=np.float32))
        >>> raw.shape, state.shape
        ((2,), (8,))
    """

    def __init__(self, network: Any) -> None:
        stack = network.layers if isinstance(network, ManyToMany) else None
        if not isinstance(stack, Stack) or (network.inputs.static_size and not isinstance(network, OneToMany)):
            raise UnsupportedError("only a stack that answers at each step, from that step alone, has a quick step")
        self._cells = [_cell(layer) for layer in stack.layers]
        self._steppers = [Stepper(cell) for cell in self._cells]
        self._wide, self._rooms = self._steppers, 1
        self._passing = [stepper.pass_on() for stepper in self._steppers]
        self.inputs = self._steppers[0].inputs[0]  # (F,)
        self._norms = None if stack.norms is None else [_Norm(norm) for norm in stack.norms]
        self._residual = stack.residual
        linear = network.head.linear
        self._weight = np.ascontiguousarray(linear.weight.detach().numpy())  # (W, H)
        self._bias = linear.bias.detach().numpy().copy()  # (W,)
        self._alone = len(self._passing) == 1 and not self._residual
        self.reads = network.inputs
        self.lock = Lock()

    def step_many(self, inputs: np.ndarray, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Step many streams, taking the lock: (B, F) and (B, S) to raw answers (B, W) and states (B, S)."""
        with self.lock:
            if self._rooms < len(inputs):
                self._rooms = 1 << (len(inputs) - 1).bit_length()
                self._wide = [Stepper(cell, self._rooms) for cell in self._cells]
            parts, start, hidden = [], 0, inputs
            for place, (stepper, passing) in enumerate(zip(self._wide, self._passing, strict=True)):
                given = hidden if not place or self._norms is None else self._norms[place - 1](hidden)
                output, after = stepper.pass_many(given, states[:, start : start + passing.size])
                parts.append(after)
                start += passing.size
                hidden = output + hidden if self._residual and output.shape == hidden.shape else output
            raw = hidden @ self._weight.T + self._bias
        return raw, parts[0] if len(parts) == 1 else np.concatenate(parts, 1)

    def step(self, state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Step one stream: a state (S,) to raw answers (W,) and the next state, a new vector."""
        if self._alone:
            passing = self._passing[0]
            after = passing.step(state)
            return self._weight.dot(passing.output) + self._bias, after
        parts, start, hidden = [], 0, self.inputs
        for place, passing in enumerate(self._passing):
            if place:
                self._steppers[place].inputs[0] = hidden if self._norms is None else self._norms[place - 1](hidden)
            parts.append(passing.step(state[start : start + passing.size]))
            start += passing.size
            output = passing.output
            hidden = output + hidden if self._residual and output.shape == hidden.shape else output
        return self._weight.dot(hidden) + self._bias, np.concatenate(parts)


def _cell(layer: nn.Module) -> Cell:
    if not isinstance(layer, Recurrent) or layer.noise.zones:
        raise UnsupportedError("zoneout and backward layers have no quick step")
    return layer.cell


class _Norm:
    """A layer norm of one vector, or of each row of a matrix."""

    def __init__(self, norm: nn.Module) -> None:
        assert isinstance(norm, nn.LayerNorm)
        assert norm.bias is not None
        self._weight, self._bias = norm.weight.detach().numpy().copy(), norm.bias.detach().numpy().copy()
        self._tiny = norm.eps

    def __call__(self, values: np.ndarray) -> np.ndarray:
        centred = values - values.mean(-1, keepdims=True)
        return centred / np.sqrt((centred * centred).mean(-1, keepdims=True) + self._tiny) * self._weight + self._bias


def quick_of(network: Any) -> Quick | None:
    """Return the quick step of a network; None where it has none."""
    try:
        return Quick(network)
    except UnsupportedError:
        return None
