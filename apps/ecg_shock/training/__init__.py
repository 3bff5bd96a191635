"""What a network is trained on: stretches of one rhythm, disturbed anew for every batch."""
