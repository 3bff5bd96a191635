"""Recipes side by side on the same held-out rows: which network, and which optimiser of one network, ranks better."""
