"""Tasks: from a table to a trained, scored and saved model."""
