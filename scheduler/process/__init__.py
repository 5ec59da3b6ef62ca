"""Commands as processes: how they start and end, their limits, their output files."""
