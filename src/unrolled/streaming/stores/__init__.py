"""Stores: where sessions are kept between two events."""
