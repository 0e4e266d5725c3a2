"""Every cell that the tiles can run. A new one is one file and one line here."""

from unrolled.cells.base import Cell
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.lstm import LSTM
from unrolled.kernels.cpu.pointwise import elman, gru, lstm
from unrolled.kernels.cpu.pointwise.base import Pointwise

POINTWISE: dict[str, Pointwise] = {
    "lstm": lstm.LSTM,
    "gru": gru.GRU,
    "elman_tanh": elman.ELMAN_TANH,
    "elman_relu": elman.ELMAN_RELU,
}
_NAMES = {LSTM: "lstm", GRU: "gru"}


def name_of(cell: Cell) -> str:
    """The key in `POINTWISE` of a cell; "" when it has none. A subclass may compute something else."""
    if type(cell) is Elman:
        return f"elman_{cell.activation}"
    return _NAMES.get(type(cell), "")
