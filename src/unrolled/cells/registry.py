"""All cells by name. A new cell is one file and one line here; the conformance suite runs over this table."""

from functools import partial

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
from unrolled.errors import unknown

CELLS = {
    "elman": ElmanCell,
    "elman_relu": partial(ElmanCell, activation="relu"),
    "lstm": LSTMCell,
    "gru": GRUCell,
    "lstm_layer_norm": LayerNormLSTMCell,
    "lstm_peephole": PeepholeLSTMCell,
    "lstm_projected": ProjectedLSTMCell,
    "gru_layer_norm": LayerNormGRUCell,
    "min_lstm": MinLSTMCell,
    "min_gru": MinGRUCell,
    "linear": LinearRecurrenceCell,
}


def make_cell(name: str, input_size: int, hidden_size: int, learn_initial_state: bool = False) -> Cell:
    """Return a fresh cell by its name in `CELLS`.

    Raises:
        OptionError: an unknown name; the message suggests the nearest one.
    """
    if name not in CELLS:
        raise unknown("cell", name, CELLS)
    return CELLS[name](input_size, hidden_size, learn_initial_state=learn_initial_state)
