"""Data: readers, sources, splits, windows and batches."""
