"""Arrangements: networks by the form of their inputs and outputs (many-to-one, many-to-many, encoder-decoder, ...)."""
