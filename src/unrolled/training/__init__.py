"""Training: a short, readable loop and its parts."""
