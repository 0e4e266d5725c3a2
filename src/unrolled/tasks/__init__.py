"""Tasks: from a table to a trained, compared, saved model."""
