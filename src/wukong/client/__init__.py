"""What users hold: the client and its jobs."""
