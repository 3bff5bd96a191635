"""The search of Krasteva et al. 2020: architectures, learning rates, durations."""
