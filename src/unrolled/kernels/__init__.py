"""Kernels: the implementations that run a cell over a batch of sequences."""
