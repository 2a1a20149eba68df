"""The numbers by which the pool of one function decides."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """All times in seconds."""

    #: Invocations that may run at once, and so the most environments.
    concurrency: int
    #: How long one invocation may run.
    timeout: float
    #: How long an environment may take until its first poll, per attempt.
    start_timeout: float
    #: How long an environment without work is kept.
    idle_seconds: float
    #: How often an asynchronous invocation is tried again after it failed.
    retries: int
    #: Wait before the first retry; it doubles with each further one.
    retry_seconds: float
    #: How long after its arrival an asynchronous invocation is still begun.
    maximum_event_age: float
