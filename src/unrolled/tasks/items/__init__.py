"""Next items: what a user does next (Recommender), or where they go next (NextPlace)."""
