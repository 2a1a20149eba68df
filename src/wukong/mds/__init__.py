"""The metadata store: keys, scripts, records."""
