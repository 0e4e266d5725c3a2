"""Six common bugs of sequence models, each made in a few lines and found by a check with one sentence."""
