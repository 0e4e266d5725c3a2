"""Plots of the results of training and inspection; each function draws one record and returns a matplotlib figure."""
