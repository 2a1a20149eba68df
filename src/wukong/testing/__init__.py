"""In-memory stores and graph builders, held to the same contract tests as the real ones."""
