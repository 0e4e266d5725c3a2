"""Training: a loop one can read, and what it is made of."""
