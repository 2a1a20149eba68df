"""What a pool wants done: its only way to act."""

from __future__ import annotations

from dataclasses import dataclass

from wukong_lambda_emulator.failure import Failure


@dataclass(frozen=True, slots=True)
class Start:
    """Start an environment under this new number."""

    environment: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End an environment at once. Its `Exited` is still expected."""

    environment: int


@dataclass(frozen=True, slots=True)
class Deliver:
    """Hand the invocation to the environment, which is waiting for one."""

    environment: int
    invocation: str


@dataclass(frozen=True, slots=True)
class Throttle:
    """Refuse a synchronous invocation: too many run already."""

    invocation: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The invocation is over. `failure` is None where the environment answered; then its answer counts.

    `too_old` where an asynchronous one would have been tried again, had it not been too old for that.
    """

    invocation: str
    failure: Failure | None
    too_old: bool = False


@dataclass(frozen=True, slots=True)
class Postpone:
    """An asynchronous invocation failed and will be tried again after `seconds`."""

    invocation: str
    seconds: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Expire:
    """An asynchronous invocation waited for longer than the maximum event age; forget it."""

    invocation: str


Instruction = Start | Kill | Deliver | Throttle | Finish | Postpone | Expire
