"""Anomaly detection: scores and alarms for the steps of series, and for events."""
