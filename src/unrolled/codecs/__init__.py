"""Codecs: raw column values to numbers and back."""
