"""Kernels: how a cell is run along a batch."""
