"""Codecs of recordings, pictures and films."""
