"""Modules: unroll, stacks, input layers and output objects; and torch.nn's LSTM, GRU and RNN on unrolled's kernels."""

from unrolled.nn.modules import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN"]
