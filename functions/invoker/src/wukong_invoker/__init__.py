"""The Lambda function that starts many executors at once."""
