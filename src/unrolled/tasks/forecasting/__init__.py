"""Forecasting: the next values of many series."""
