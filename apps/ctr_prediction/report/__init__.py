"""What an advertiser asks of a table of click probabilities."""
