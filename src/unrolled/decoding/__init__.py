"""Decoding: generation of sequences with a step function."""
