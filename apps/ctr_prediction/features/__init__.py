"""From the columns of a log to the numbers a network or a tree reads, fitted on training rows only."""
