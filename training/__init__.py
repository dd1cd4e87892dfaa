"""Training: from a parallel corpus to a published Parley bundle."""
