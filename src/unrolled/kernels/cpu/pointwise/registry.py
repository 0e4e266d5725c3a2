"""All cells that the tiles can run. A new one is one file and one line here."""

from unrolled.cells.base import Cell
from unrolled.cells.elman import ElmanCell
from unrolled.cells.gru import GRUCell
from unrolled.cells.layer_norm_gru import LayerNormGRUCell
from unrolled.cells.layer_norm_lstm import LayerNormLSTMCell
from unrolled.cells.linear_recurrence import LinearRecurrenceCell
from unrolled.cells.lstm import LSTMCell
from unrolled.cells.min_gru import MinGRUCell
from unrolled.cells.min_lstm import MinLSTMCell
from unrolled.cells.peephole_lstm import PeepholeLSTMCell
from unrolled.cells.projected_lstm import ProjectedLSTMCell
from unrolled.kernels.cpu.pointwise import (
    elman,
    gru,
    layer_norm_gru,
    layer_norm_lstm,
    linear,
    lstm,
    min_gru,
    min_lstm,
    peephole_lstm,
    projected_lstm,
)
from unrolled.kernels.cpu.pointwise.base import Pointwise, Rowwise

POINTWISE: dict[str, Pointwise | Rowwise] = {
    "LSTM": lstm.LSTM,
    "GRU": gru.GRU,
    "Elman_tanh": elman.ELMAN_TANH,
    "Elman_relu": elman.ELMAN_RELU,
    "PeepholeLSTM": peephole_lstm.PEEPHOLE_LSTM,
    "ProjectedLSTM": projected_lstm.PROJECTED_LSTM,
    "LayerNormLSTM": layer_norm_lstm.LAYER_NORM_LSTM,
    "LayerNormGRU": layer_norm_gru.LAYER_NORM_GRU,
    "MinGRU": min_gru.MIN_GRU,
    "MinLSTM": min_lstm.MIN_LSTM,
    "LinearRecurrence": linear.LINEAR,
}
_OURS = (
    LSTMCell,
    GRUCell,
    PeepholeLSTMCell,
    ProjectedLSTMCell,
    LayerNormLSTMCell,
    LayerNormGRUCell,
    MinGRUCell,
    MinLSTMCell,
    LinearRecurrenceCell,
)


def name_of(cell: Cell) -> str:
    """Return the key of a cell in `POINTWISE`; "" if it has none. A subclass may compute something else."""
    if type(cell) is ElmanCell:
        return f"Elman_{cell.activation}"
    return cell.short_name if type(cell) in _OURS else ""
