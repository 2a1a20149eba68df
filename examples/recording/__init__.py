"""A terminal's recording: progress, what tasks print, and the report, in one program's run."""
