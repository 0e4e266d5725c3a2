"""One small file per cell: the arithmetic of a unit between the recurrent products, forward and backward."""
