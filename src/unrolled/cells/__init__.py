"""Cells: one step of a recurrent network each."""
