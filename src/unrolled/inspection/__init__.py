"""Inspection: what happens inside a model, as data; drawing is elsewhere."""
