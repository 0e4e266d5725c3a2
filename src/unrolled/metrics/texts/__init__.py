"""Scores of texts: how near an answer comes to the true text, or to one of several."""
