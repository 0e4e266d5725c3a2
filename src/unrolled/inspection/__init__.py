"""Inspection: measurements of what happens inside a model, as data; `plots` draws them."""
