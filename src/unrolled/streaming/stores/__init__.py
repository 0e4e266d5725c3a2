"""Stores: places that keep sessions between events."""
