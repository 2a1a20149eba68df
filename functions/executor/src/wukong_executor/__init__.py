"""The Lambda function that walks a part of a graph."""
