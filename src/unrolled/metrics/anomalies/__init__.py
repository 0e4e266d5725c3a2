"""Scores of anomaly detectors: how early and how fully they find what is labelled, and how often they cry wolf."""
