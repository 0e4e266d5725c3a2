"""Decoding: sequences out of a step function."""
