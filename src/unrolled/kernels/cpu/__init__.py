"""Kernels for a CPU: tiles of vector instructions, written here and compiled on the machine at hand."""
