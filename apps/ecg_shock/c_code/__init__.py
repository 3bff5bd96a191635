"""The network as C for a defibrillator: int8 weights and one header."""
