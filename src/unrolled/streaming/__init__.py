"""Streams: one event in, one answer out; what is remembered is a value."""
