"""LSTM with a projection: between its products it is the plain one."""

from unrolled.kernels.cpu.pointwise.lstm import LSTM

PROJECTED_LSTM = LSTM._replace(projected=True)
