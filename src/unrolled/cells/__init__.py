"""Cells: recurrent networks, each defined by one step."""
