"""Calendars of series: which times follow each other."""
