"""Scores of anomaly detectors: how early and how fully they find labelled ranges, and how many alarms are false."""
