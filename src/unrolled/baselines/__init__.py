"""Baselines: the ordinary models whose scores are reported next to those of each task."""
