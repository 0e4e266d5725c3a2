"""Sequences of vectors: the next frame of a piano roll, the next point of a drawing."""
