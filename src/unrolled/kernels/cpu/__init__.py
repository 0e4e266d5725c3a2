"""CPU kernels: tiles of vector instructions, written here and compiled on this machine."""
