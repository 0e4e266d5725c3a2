"""Looking inside a model: its states, gates, gradients. Everything here returns data; drawing is elsewhere."""
