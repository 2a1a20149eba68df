"""What the time of an executor goes into."""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """What an executor's main thread is at. The value is the name of its counter."""

    STARTING = "starting_us"
    """From the invocation on until the first of the others: becoming the holder, opening the first pages."""
    RUNNING = "running_us"
    """Tasks, and choosing the next one."""
    READING = "reading_us"
    """Getting inputs from the stores and unpickling them."""
    WRITING = "writing_us"
    """Pickling outputs that others need, and writing the large ones."""
    REPORTING = "reporting_us"
    """Talking to the metadata store."""
    WAITING = "waiting_us"
    """Nothing to run: the beat's thread writes, reports or gives something away; or a task rests until its next run."""
