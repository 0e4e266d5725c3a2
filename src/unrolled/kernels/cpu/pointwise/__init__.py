"""One small file for each cell: what happens to a unit between the recurrent products, forward and backward."""
