"""Inspection: what a model does inside, as data; drawing is elsewhere."""
