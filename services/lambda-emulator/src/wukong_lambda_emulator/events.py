"""What can happen to the environments and invocations of one function: the events that its pool is told."""

from __future__ import annotations

from dataclasses import dataclass

from wukong_lambda_emulator.failure import Failure


@dataclass(frozen=True, slots=True)
class Invoked:
    """Somebody asks for the function. An asynchronous one may be put in the queue `delay` seconds later."""

    invocation: str
    asynchronous: bool
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Prewarmed:
    """The operator wants `count` environments to be there before the first invocation is."""

    count: int


@dataclass(frozen=True, slots=True)
class Polled:
    """An environment asks for its next invocation: it is initialised, and done with its last one."""

    environment: int


@dataclass(frozen=True, slots=True)
class Answered:
    """An environment posted its invocation's response, or the error that the function raised."""

    environment: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The environment was gone before it could take the invocation that it was given."""

    environment: int


@dataclass(frozen=True, slots=True)
class Exited:
    """An environment ended, and why. `unavailable` when it could not even be started: no fault of the function."""

    environment: int
    failure: Failure
    unavailable: bool = False


@dataclass(frozen=True, slots=True)
class ConcurrencySet:
    """From now on at most `concurrency` invocations run at once."""

    concurrency: int


@dataclass(frozen=True, slots=True)
class EventsConfigured:
    """From now on failed asynchronous invocations are retried so often, and begun until they are so old."""

    retries: int
    maximum_event_age: float


@dataclass(frozen=True, slots=True)
class Ticked:
    """The time that `Pool.wake` named has come."""


Event = Invoked | Prewarmed | Polled | Answered | Undelivered | Exited | ConcurrencySet | EventsConfigured | Ticked
