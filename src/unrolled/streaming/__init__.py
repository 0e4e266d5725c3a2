"""Streaming: models that read one event at a time, and sessions that keep their states."""
