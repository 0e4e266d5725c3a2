"""LSTM with a projection: between its products it equals the plain LSTM."""

from unrolled.kernels.cpu.pointwise.lstm import LSTM

PROJECTED_LSTM = LSTM._replace(projected=True)
