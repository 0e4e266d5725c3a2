"""Scores of texts: how close an answer is to the true text, or to the closest of several."""
