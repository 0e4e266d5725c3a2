"""Single steps without torch: buffers and addresses are bound in advance."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unrolled.cells.base import Cell, State
from unrolled.errors import ShapeError, UnsupportedError, message
from unrolled.kernels.cpu.arguments import FORWARD, Argument, Value, addresses
from unrolled.kernels.cpu.autograd import weights_of
from unrolled.kernels.cpu.calls import THREAD_WORK, forward_kernel
from unrolled.kernels.cpu.layer import Layer
from unrolled.kernels.cpu.machine import Machine, host
from unrolled.kernels.cpu.pointwise.registry import name_of
from unrolled.kernels.cpu.pool import Calls, threads_for

Floats = NDArray[np.float32]


class Stepper:
    """A cell with its state, for a batch of streams.

    Args:
        cell: a float32 cell on the CPU with tiles; later changes of its weights have no effect.
        batch_size: number of streams, B, which step together.
        machine: the processor to run as; None = this one.

    Raises:
        UnsupportedError: the tiles do not have this cell, or not in this precision.

    Example:
        >>> import numpy as np
        >>> from unrolled.cells.gru import GRUCell
        >>> from unrolled.kernels.cpu.step import Stepper
        >>> stepper = Stepper(GRUCell(3, 4), batch_size=2)
        >>> stepper.step(np.zeros((2, 3), dtype=np.float32)).shape
        (2, 4)
    """

    def __init__(self, cell: Cell, batch_size: int = 1, machine: Machine | None = None) -> None:
        if not name_of(cell) or cell.weight_ih.dtype != torch.float32 or cell.weight_ih.device.type != "cpu":
            received = f"{cell.short_name} of {cell.weight_ih.dtype} on {cell.weight_ih.device}"
            raise UnsupportedError(message("cell", expected="a float32 cell of the tiles on a CPU", received=received))
        machine = host() if machine is None else machine
        layer = Layer(name_of(cell), machine, {name: weight.detach() for name, weight in weights_of(cell).items()})
        plan, self._state_type = layer.plan, cell.state_type
        self._hidden_size, self._output_size = layer.hidden_size, layer.output_size
        self.inputs: Floats = np.zeros((batch_size, layer.input_size), dtype=np.float32)
        cells = layer.padded if plan.cell.has_cell else 0
        # the results of the first turn are contiguous, so that one copy is enough
        self._left: Floats = np.zeros(batch_size * (layer.shown + cells), dtype=np.float32)
        written, kept = np.split(self._left, [batch_size * layer.shown])
        self._cells: Floats = kept.reshape(batch_size if cells else 0, layer.padded)
        # two sets of buffers in turn: a step reads what the previous one wrote
        first = np.zeros((batch_size, layer.shown), dtype=np.float32)
        self._hidden: list[Floats] = [first, written.reshape(batch_size, layer.shown)]
        self._shown = [hidden[:, : layer.output_size] for hidden in self._hidden]
        self._turn = 0

        self._layer, self._kernel = layer, forward_kernel(layer.name, plan, keep=False)
        self._weights = [torch.clone(weight) for weight in layer.forward_weights(keep=True)]
        self._projection = layer.projection(keep=True)
        self._numbers, self._blocks = np.arange(batch_size, dtype=np.int64), np.array([0, 1], dtype=np.int64)
        self._table = np.empty(6 * batch_size, dtype=np.int64)
        self._gates = np.empty((batch_size, layer.row_width), dtype=np.float32)
        self._raw = np.empty((batch_size if plan.projected else 0, layer.padded), dtype=np.float32)
        self._held: list[Any] = []
        self._calls = [self._bound(batch_size, turn) for turn in range(2)]
        self._fewer: dict[int, Calls] = {}  # calls of the first turn, by number of streams
        self.state = cell.initial_state(batch_size)

    def _bound(self, count: int, turn: int) -> Calls:
        """Bind a step of the first `count` streams."""
        layer = self._layer
        work = count * layer.row_width * (layer.input_size + layer.hidden_size)
        threads = min(count, threads_for(work, THREAD_WORK))
        edges = [count * thread // threads for thread in range(threads + 1)]
        return Calls(self._kernel, [self._arguments(start, stop, turn) for start, stop in pairwise(edges)], work)

    def step(self, inputs: Floats) -> Floats:
        """Advance every stream by one step.

        Args:
            inputs: (B, F); or fill `inputs` of this object in place and pass that.

        Returns:
            outputs (B, H); overwritten by the step after the next.
        """
        if inputs is not self.inputs:
            self.inputs[:] = inputs
        self._calls[self._turn].run()
        self._turn = 1 - self._turn
        return self._shown[self._turn]

    def pass_on(self) -> "Passing":
        """Return the step of a single stream from a state given as one vector; the object's own state is overwritten.

        Raises:
            ShapeError: a stepper of several streams.
        """
        if len(self.inputs) != 1:
            raise ShapeError(message("batch_size", expected="1", received=len(self.inputs)))
        self._turn = 0
        fields = [self._shown[0][0], *(cells[: self._hidden_size] for cells in self._cells)]
        left = [self._shown[1][0], *(cells[: self._hidden_size] for cells in self._cells)]
        whole = self._left if sum(map(len, left)) == len(self._left) else None
        return Passing(self._calls[0], fields, left, whole)

    def pass_many(self, inputs: Floats, states: Floats) -> tuple[Floats, Floats]:
        """Take one step of some streams from states given as vectors; the object's own state is overwritten.

        Args:
            inputs: (B, F), for at most `batch_size` streams.
            states: (B, S), the fields of the cell's state end to end.

        Returns:
            outputs (B, H), overwritten by the next step; and the states after, (B, S).
        """
        count, edge, has_cells = len(inputs), self._output_size, len(self._cells) > 0
        self._turn = 0
        self.inputs[:count] = inputs
        self._shown[0][:count] = states[:, :edge]
        if has_cells:
            self._cells[:count, : self._hidden_size] = states[:, edge:]
        (self._fewer.get(count) or self._fewer.setdefault(count, self._bound(count, 0))).run()
        after = np.empty_like(states)
        after[:, :edge] = self._shown[1][:count]
        if has_cells:
            after[:, edge:] = self._cells[:count, : self._hidden_size]
        return self._shown[1][:count], after

    @property
    def state(self) -> State:
        """A copy of the state of every stream, fields (B, H)."""
        fields = [self._shown[self._turn], self._cells[:, : self._hidden_size]][: len(self._state_type._fields)]
        return self._state_type(*(torch.from_numpy(field.copy()) for field in fields))

    @state.setter
    def state(self, state: State) -> None:
        widths = (self._output_size, self._hidden_size)
        for into, field, width in zip([self._hidden[self._turn], self._cells], state, widths, strict=False):
            values = field.detach().numpy()
            if values.shape != (len(self.inputs), width):
                expected = f"shape ({len(self.inputs)}, {width})"
                raise ShapeError(message("state", expected=expected, received=values.shape))
            into[:, :width] = values

    def _arguments(self, start: int, stop: int, turn: int) -> list[int]:
        layer, weights, count = self._layer, self._weights, stop - start
        offsets = np.array([0, count], dtype=np.int64)
        self._held.append(offsets)
        values: dict[Argument, Value] = {
            Argument.blocks: self._blocks,
            Argument.num_blocks: 1,
            Argument.offsets: offsets,
            Argument.firsts: self._numbers,
            Argument.sequences: self._numbers,
            Argument.lengths: None,
            Argument.first_cells: None,
            Argument.last_hidden: None,
            Argument.last_cells: None,
            Argument.table: self._table[6 * start :],
            Argument.table_rows: count,
            Argument.groups: layer.groups,
            Argument.input_terms: layer.input_size,
            Argument.input_stride: layer.input_stride,
            Argument.recurrent_terms: layer.output_size,
            Argument.left_stride: layer.left_stride,
            Argument.hidden_size: layer.hidden_size,
            Argument.padded_size: layer.padded,
            Argument.shown_size: layer.shown,
            Argument.inputs: self.inputs[start:],
            Argument.outputs: self._hidden[1 - turn][start:],
            Argument.hidden: self._hidden[turn][start:],
            Argument.left: self._hidden[1 - turn][start:],
            Argument.left_hidden: self._hidden[turn][start:],
            Argument.gates: self._gates[start:],
            Argument.cells: self._cells[start:],
            Argument.num_sequences: count,
            Argument.bias: layer.bias,
            Argument.input_weights: weights[0],
            Argument.recurrent_weights: weights[1] if len(weights) > 1 else None,
            Argument.own: layer.own,
            Argument.raw: self._raw[start:],
            Argument.projection: self._projection,
            **dict.fromkeys((Argument.row_keys, Argument.unit_keys, Argument.shared, Argument.factors)),
        }
        return addresses(FORWARD, values)


class Passing:
    """One step from a state to the next, both vectors (S,), the fields of the cell's state end to end.

    Args:
        calls: the step, bound to its buffers.
        fields: buffers from which it reads the state.
        left: buffers to which it writes the state; `left[0]` is the output.
        whole: the same as one buffer, if contiguous.
    """

    def __init__(self, calls: Calls, fields: list[Floats], left: list[Floats], whole: Floats | None) -> None:
        self._run, self._address, self._held = calls.kernel.run, calls.addresses[0], calls
        self._first, self._second = fields[0], fields[1] if len(fields) > 1 else None
        self._edge, self._left, self._whole = len(fields[0]), left, whole
        self.output = left[0]  # (H,) overwritten by the next step
        self.size = sum(map(len, fields))

    def step(self, state: Floats) -> Floats:
        """Step from a state to the next; the inputs are in the stepper's `inputs`."""
        if self._second is None:
            self._first[:] = state
        else:
            self._first[:] = state[: self._edge]
            self._second[:] = state[self._edge :]
        self._run(self._address)
        return np.concatenate(self._left) if self._whole is None else self._whole.copy()
