"""Codecs of texts: characters, words, subwords."""
