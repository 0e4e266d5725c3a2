"""Pages that a person reads: one HTML file without a network, pictures in light and dark."""
