"""Language models: the next character, word or subword of a text."""
