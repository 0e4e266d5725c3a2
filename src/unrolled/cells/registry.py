"""All cells by name. A new cell is one file and one line here; the conformance suite runs over this table."""

from functools import partial

from unrolled.cells.base import Cell
from unrolled.cells.elman import Elman
from unrolled.cells.gru import GRU
from unrolled.cells.layer_norm_gru import LayerNormGRU
from unrolled.cells.layer_norm_lstm import LayerNormLSTM
from unrolled.cells.linear_recurrence import LinearRecurrence
from unrolled.cells.lstm import LSTM
from unrolled.cells.min_gru import MinGRU
from unrolled.cells.min_lstm import MinLSTM
from unrolled.cells.peephole_lstm import PeepholeLSTM
from unrolled.cells.projected_lstm import ProjectedLSTM
from unrolled.errors import unknown

CELLS = {
    "elman": Elman,
    "elman_relu": partial(Elman, activation="relu"),
    "lstm": LSTM,
    "gru": GRU,
    "lstm_layer_norm": LayerNormLSTM,
    "lstm_peephole": PeepholeLSTM,
    "lstm_projected": ProjectedLSTM,
    "gru_layer_norm": LayerNormGRU,
    "min_lstm": MinLSTM,
    "min_gru": MinGRU,
    "linear": LinearRecurrence,
}


def make_cell(name: str, input_size: int, hidden_size: int, learn_initial_state: bool = False) -> Cell:
    """Return a fresh cell by its name in `CELLS`.

    Raises:
        OptionError: an unknown name; the message suggests the nearest one.
    """
    if name not in CELLS:
        raise unknown("cell", name, CELLS)
    return CELLS[name](input_size, hidden_size, learn_initial_state=learn_initial_state)
