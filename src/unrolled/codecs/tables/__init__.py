"""Codecs of columns of tables: numbers, categories, labels, times, places, vectors."""
