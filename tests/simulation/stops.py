"""Why the code of a simulated executor stops where it is."""

from __future__ import annotations


class Suspended(BaseException):
    """A call has to be made before plain code can go on."""


class Interrupted(Exception):
    """The task that runs here is wanted by nobody any more."""


class TaskRaised(Exception):
    """The running task raised."""
