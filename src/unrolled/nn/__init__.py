"""Neural network modules: unroll, stacks, input layers, outputs; torch.nn's LSTM, GRU and RNN on our kernels."""

from unrolled.nn.modules import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]
