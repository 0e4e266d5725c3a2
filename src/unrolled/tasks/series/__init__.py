"""Time series: tables in long format, their clock and their season; for forecasting and detection."""
