"""Sequence to sequence: texts written from texts (Translator) or pictures (Captioner)."""
