"""Blending: the network and the baselines answer together, with weights chosen on held-out predictions."""
