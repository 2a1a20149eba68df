"""Accepts graphs, cuts them into static schedules and starts their first executors."""
