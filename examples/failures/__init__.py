"""Six ways in which sequence models fail, each made in a few lines and caught by a check with one sentence."""
