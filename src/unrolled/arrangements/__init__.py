"""Arrangements: how sequences go in and come out."""
