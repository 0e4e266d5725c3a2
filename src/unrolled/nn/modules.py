"""LSTM, GRU and RNN as drop-in replacements of torch.nn's, run by unrolled's kernels.

Each class is a subclass of torch's, with the same weights, names and initial values; only `forward` is new.
`torch.jit.script` cannot read them; script a torch.nn module with the same `state_dict`.
"""

import torch
from torch import nn

from unrolled.cells import elman, gru, lstm, projected_lstm
from unrolled.cells.base import Cell
from unrolled.nn.drop_in import DropIn


class LSTM(DropIn, nn.LSTM):
    """`torch.nn.LSTM`, run by unrolled's kernels: same weights, same results.

    Also accepts a Ragged, and then returns one.

    Args:
        input_size: features of one step, F.
        hidden_size: number of hidden units per layer and direction, H.
        num_layers: number of layers.
        bias: False = without bias_ih and bias_hh.
        batch_first: a dense batch is (B, T, F) instead of (T, B, F); the state is not affected.
        dropout: share of the values zeroed between layers while training, 0 to 1.
        bidirectional: read in both directions; outputs have 2 * H features.
        proj_size: above 0, project each output to this many features.
        device: of the weights; None = torch's default.
        dtype: of the weights; None = torch's default.
        kernel: "auto", or a name in `unrolled.kernels.choose.KERNELS`.
        recurrent_dropout: share of the hidden state that the recurrent product reads as zero while training, drawn once
            per sequence; see `unrolled.kernels.noise.Noise`.
        zoneout: share of the states that keep their value, drawn at each step in training; else the expectation.

    Raises:
        ValueError, TypeError: raised by torch for an illegal value.
        OptionError: an unknown kernel, or one together with proj_size; a share outside [0, 1).

    Example:
        >>> import torch
        >>> from unrolled.nn import LSTM
        >>> rnn = LSTM(10, 20, 2)
        >>> output, (hn, cn) = rnn(torch.randn(5, 3, 10), (torch.randn(2, 3, 20), torch.randn(2, 3, 20)))
        >>> output.shape, hn.shape, isinstance(rnn, torch.nn.LSTM)
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), True)
    """

    cell_type = lstm.LSTMCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        kernel: str = "auto",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size, device, dtype
        )
        self._set_options(kernel, recurrent_dropout, zoneout)
        if proj_size:
            self.cell_type = projected_lstm.ProjectedLSTMCell

    def _cell(self, layer: int, reverse: bool) -> Cell:
        cell = super()._cell(layer, reverse)
        vars(cell).update(proj_size=self.proj_size)
        return cell


class GRU(DropIn, nn.GRU):
    """`torch.nn.GRU`, run by unrolled's kernels: same weights, same results.

    Also accepts a Ragged, and then returns one.

    Args:
        input_size: features of one step, F.
        hidden_size: number of hidden units per layer and direction, H.
        num_layers: number of layers.
        bias: False = without bias_ih and bias_hh.
        batch_first: a dense batch is (B, T, F) instead of (T, B, F); the state is not affected.
        dropout: share of the values zeroed between layers while training, 0 to 1.
        bidirectional: read in both directions; outputs have 2 * H features.
        device: of the weights; None = torch's default.
        dtype: of the weights; None = torch's default.
        kernel: "auto", or a name in `unrolled.kernels.choose.KERNELS`.
        recurrent_dropout: share of the hidden state that the recurrent product reads as zero while training, drawn once
            per sequence; see `unrolled.kernels.noise.Noise`.
        zoneout: share of the states that keep their value, drawn at each step in training; else the expectation.

    Raises:
        ValueError, TypeError: raised by torch for an illegal value.
        OptionError: an unknown kernel, or a share outside [0, 1).

    Example:
        >>> import torch
        >>> from unrolled.nn import GRU
        >>> from unrolled.ragged import Ragged
        >>> outputs, hn = GRU(3, 4, bidirectional=True)(Ragged(torch.randn(5, 3), torch.tensor([2, 0, 3])))
        >>> outputs.values.shape, hn.shape
        (torch.Size([5, 8]), torch.Size([2, 3, 4]))
    """

    cell_type = gru.GRUCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        kernel: str = "auto",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ) -> None:
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device=device, dtype=dtype
        )
        self._set_options(kernel, recurrent_dropout, zoneout)


class RNN(DropIn, nn.RNN):
    """`torch.nn.RNN`, Elman's network, run by unrolled's kernels: same weights, same results.

    Also accepts a Ragged, and then returns one.

    Args:
        input_size: features of one step, F.
        hidden_size: number of hidden units per layer and direction, H.
        num_layers: number of layers.
        nonlinearity: "tanh" or "relu".
        bias: False = without bias_ih and bias_hh.
        batch_first: a dense batch is (B, T, F) instead of (T, B, F); the state is not affected.
        dropout: share of the values zeroed between layers while training, 0 to 1.
        bidirectional: read in both directions; outputs have 2 * H features.
        device: of the weights; None = torch's default.
        dtype: of the weights; None = torch's default.
        kernel: "auto", or a name in `unrolled.kernels.choose.KERNELS`.
        recurrent_dropout: share of the hidden state that the recurrent product reads as zero while training, drawn once
            per sequence; see `unrolled.kernels.noise.Noise`.
        zoneout: share of the states that keep their value, drawn at each step in training; else the expectation.

    Raises:
        ValueError, TypeError: raised by torch for an illegal value.
        OptionError: an unknown kernel, or a share outside [0, 1).

    Example:
        >>> import torch
        >>> from unrolled.nn import RNN
        >>> output, hn = RNN(10, 20, 2, nonlinearity="relu", batch_first=True)(torch.randn(3, 5, 10))
        >>> output.shape, hn.shape
        (torch.Size([3, 5, 20]), torch.Size([2, 3, 20]))
    """

    cell_type = elman.ElmanCell

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
        *,
        kernel: str = "auto",
        recurrent_dropout: float = 0.0,
        zoneout: float = 0.0,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            nonlinearity,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self._set_options(kernel, recurrent_dropout, zoneout)

    def _cell(self, layer: int, reverse: bool) -> Cell:
        cell = super()._cell(layer, reverse)
        vars(cell).update(activation=self.nonlinearity)
        return cell
