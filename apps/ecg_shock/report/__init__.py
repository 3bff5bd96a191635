"""What a defibrillator engineer asks of a table of decisions."""
