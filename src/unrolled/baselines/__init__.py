"""Baselines: the ordinary models that stand beside every score."""
