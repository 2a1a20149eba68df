"""Faults from a seed: what a function's operator wants to go wrong, and the decision of what goes wrong when.

Pure: the same settings and the same number give the same decision, whatever was decided before. So a run can be
replayed from its seed, as far as its requests come in the same order. Each kind of fault is drawn from a stream of
its own: changing the chance of one leaves the others where they were.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Chaos:
    """How likely each fault is: chances are from 0 to 1, times in seconds."""

    #: Everything is drawn from it.
    seed: int = 0
    #: That an asynchronous invocation is delivered once more.
    duplicate: float = 0.0
    #: That a delivery of an asynchronous invocation comes late.
    delay: float = 0.0
    #: The longest such delay; each is drawn from 0 up to it.
    delay_seconds: float = 0.5
    #: That an asynchronous invocation, though accepted, is never delivered.
    drop: float = 0.0
    #: That a request to invoke is refused as one too many.
    throttle: float = 0.0
    #: That the environment which was given an invocation is ended, unless it answers before that.
    kill: float = 0.0
    #: The longest time from its being given the invocation; each is drawn from 0 up to it.
    kill_seconds: float = 0.05

    def __post_init__(self) -> None:
        for name in ("duplicate", "delay", "drop", "throttle", "kill"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"chaos {name!r} is {getattr(self, name)!r}; it must be a chance from 0 to 1")
        for name in ("delay_seconds", "kill_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"chaos {name!r} is {getattr(self, name)!r}; it must be a number of seconds from 0 on")


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one request to invoke."""

    throttled: bool
    #: For an asynchronous one, how many seconds late each delivery comes. Empty: it is dropped.
    delays: tuple[float, ...]


def parse(document: Mapping[str, Any]) -> Chaos:
    """The settings in a JSON object.

    Raises:
        ValueError: A name is unknown, or a value is outside its range.
    """
    known = [setting.name for setting in fields(Chaos)]
    for name, value in document.items():
        if name not in known:
            raise ValueError(f"chaos has no {name!r}; known are {', '.join(known)}")
        wanted = (int,) if name == "seed" else (int, float)
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"chaos {name!r} cannot be {value!r}")
    return Chaos(**document)


def fate(chaos: Chaos, number: int, deliveries: int = 1) -> Fate:
    """What becomes of the function's request with this number.

    Args:
        chaos: The function's settings.
        number: Counts every request to invoke the function.
        deliveries: How often an asynchronous invocation is delivered where chaos has no part in it.
    """
    throttled = _happens(chaos, "throttle", number)
    if _happens(chaos, "drop", number):
        return Fate(throttled, ())
    count = deliveries + _happens(chaos, "duplicate", number)
    late = _stream(chaos, "delay", number)
    delays = tuple(late.uniform(0, chaos.delay_seconds) if late.random() < chaos.delay else 0.0 for _ in range(count))
    return Fate(throttled, delays)


def lifetime(chaos: Chaos, number: int) -> float | None:
    """Seconds after which an environment is ended that was given the function's delivery with this number, if it is."""
    if not _happens(chaos, "kill", number):
        return None
    return _stream(chaos, "kill_seconds", number).uniform(0, chaos.kill_seconds)


def _happens(chaos: Chaos, kind: str, number: int) -> bool:
    chance: float = getattr(chaos, kind)
    return chance > 0 and _stream(chaos, kind, number).random() < chance


def _stream(chaos: Chaos, kind: str, number: int) -> random.Random:
    return random.Random(f"{chaos.seed} {kind} {number}")
