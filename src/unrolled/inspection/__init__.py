"""Inspection: what happens inside a model, as data."""
