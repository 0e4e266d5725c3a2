"""Time series: tables in long format, their calendars and their season; for forecasting and detection."""
