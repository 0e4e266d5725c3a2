"""Scores of predictions, beside those of baselines: labels, numbers, rankings, texts and anomalies."""
