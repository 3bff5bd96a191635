"""Speed ratios measured side by side in one run, one process, one thread; each script prints a table."""
