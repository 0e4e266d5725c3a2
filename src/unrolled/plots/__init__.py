"""Pictures of what training and inspection return; each function draws one record and returns a matplotlib figure."""
