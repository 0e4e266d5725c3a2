"""Classification: one label for a sequence (Classifier), or one for each step (Tagger)."""
