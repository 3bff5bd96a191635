"""Follow the regularised leader, and how the networks' parameters are divided among optimisers."""
