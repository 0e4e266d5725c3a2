"""The gates of one step, by name: how far each is open, between 0 and 1."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn.functional import layer_norm, linear

from unrolled.cells.base import Cell, State, gates_of
from unrolled.cells.gru import GRU
from unrolled.cells.layer_norm_gru import LayerNormGRU
from unrolled.cells.layer_norm_lstm import LayerNormLSTM
from unrolled.cells.lstm import LSTM
from unrolled.cells.min_gru import MinGRU
from unrolled.cells.min_lstm import MinLSTM
from unrolled.cells.peephole_lstm import PeepholeLSTM
from unrolled.cells.projected_lstm import ProjectedLSTM

Gates = dict[str, Tensor]


def gates_of_step(cell: Cell, inputs: Tensor, state: State) -> Gates:
    """What the gates of a cell are while it takes one step, recomputed from its weights.

    Args:
        cell: any cell.
        inputs: what it reads, (B, F).
        state: what it remembers before the step, fields (B, H).

    Returns:
        (B, H) for each gate, by the name it has in the cell's docstring; empty for a cell without gates.

    Example:
        >>> import torch
        >>> from unrolled.cells.lstm import LSTM
        >>> cell = LSTM(3, 4)
        >>> list(gates_of_step(cell, torch.zeros(2, 3), cell.initial_state(2)))
        ['store', 'forget', 'output']
    """
    gates = GATES.get(type(cell))
    return {} if gates is None else gates(cell, inputs, state)


def _products(cell: Cell, inputs: Tensor, state: State) -> tuple[Tensor, Tensor]:
    return linear(inputs, cell.weight_ih, cell.bias_ih), linear(state.hidden, cell.weight_hh, cell.bias_hh)


def _lstm(cell: Cell, inputs: Tensor, state: State) -> Gates:
    drive, kept = _products(cell, inputs, state)  # (B, 4 * H) each
    store, forget, _, output = gates_of((drive + kept).sigmoid(), 4)  # (B, H) each
    return {"store": store, "forget": forget, "output": output}


def _peephole(cell: Any, inputs: Tensor, state: State) -> Gates:
    drive, kept = _products(cell, inputs, state)  # (B, 4 * H) each
    store, forget, _, output = gates_of(drive + kept, 4)  # (B, H) each
    _, after = cell.step(inputs, state)  # the output gate sees the new cell
    return {
        "store": (store + cell.peephole_input * state.cell).sigmoid(),
        "forget": (forget + cell.peephole_forget * state.cell).sigmoid(),
        "output": (output + cell.peephole_output * after.cell).sigmoid(),
    }


def _layer_norm_lstm(cell: Any, inputs: Tensor, state: State) -> Gates:
    drive = layer_norm(linear(inputs, cell.weight_ih), cell.bias_ih.shape, cell.norm_ih_gain, cell.bias_ih)
    kept = layer_norm(linear(state.hidden, cell.weight_hh), cell.bias_hh.shape, cell.norm_hh_gain, cell.bias_hh)
    store, forget, _, output = gates_of((drive + kept).sigmoid(), 4)  # (B, H) each
    return {"store": store, "forget": forget, "output": output}


def _gru(cell: Cell, inputs: Tensor, state: State) -> Gates:
    drive, kept = _products(cell, inputs, state)  # (B, 3 * H) each
    reset, update, _ = gates_of((drive + kept).sigmoid(), 3)  # (B, H) each
    return {"reset": reset, "update": update}


def _layer_norm_gru(cell: Any, inputs: Tensor, state: State) -> Gates:
    rows = 2 * cell.hidden_size  # the two gates are normalised together, the candidate apart
    drive, kept = (
        layer_norm(linear(read, weight[:rows]), (rows,), gain[:rows], bias[:rows])  # (B, 2 * H)
        for read, weight, gain, bias in (
            (inputs, cell.weight_ih, cell.norm_ih_gain, cell.bias_ih),
            (state.hidden, cell.weight_hh, cell.norm_hh_gain, cell.bias_hh),
        )
    )
    reset, update = gates_of((drive + kept).sigmoid(), 2)  # (B, H) each
    return {"reset": reset, "update": update}


def _min_lstm(cell: Cell, inputs: Tensor, state: State) -> Gates:
    store, forget, _ = gates_of(linear(inputs, cell.weight_ih, cell.bias_ih).sigmoid(), 3)  # (B, H) each
    return {"store": store, "forget": forget}


def _min_gru(cell: Cell, inputs: Tensor, state: State) -> Gates:
    update, _ = gates_of(linear(inputs, cell.weight_ih, cell.bias_ih).sigmoid(), 2)  # (B, H) each
    return {"update": update}


GATES: dict[type[Cell], Callable[[Any, Tensor, State], Gates]] = {
    LSTM: _lstm,
    ProjectedLSTM: _lstm,
    PeepholeLSTM: _peephole,
    LayerNormLSTM: _layer_norm_lstm,
    GRU: _gru,
    LayerNormGRU: _layer_norm_gru,
    MinLSTM: _min_lstm,
    MinGRU: _min_gru,
}
