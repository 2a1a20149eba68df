"""Faults that an embedded cluster is told to inject, so that a test sees what AWS may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Chances from 0 to 1.
_CHANCES = ("duplicate", "delay", "drop", "throttle", "kill")
#: Seconds.
_TIMES = ("delay_seconds", "kill_seconds")
_KNOWN = ("deliveries", "seed", *_CHANCES, *_TIMES)


@dataclass(frozen=True)
class Faults:
    """The faults of one cluster.

    Attributes:
        deliveries: How often each asynchronous invocation is delivered.
        chaos: What the emulator draws the other faults by: its setting `chaos`.
    """

    deliveries: int
    chaos: Mapping[str, float]


def parse(faults: Mapping[str, float]) -> Faults:
    """The faults that a user asked for.

    Raises:
        ValueError: A name is unknown, or a value is outside its range.
    """
    if not isinstance(faults, Mapping):
        raise ValueError(f"faults is {faults!r}; it must be a dictionary of {', '.join(_KNOWN)}")
    unknown = set(faults) - set(_KNOWN)
    if unknown:
        raise ValueError(f"unknown faults: {', '.join(sorted(unknown))}; known are {', '.join(_KNOWN)}")
    for name, value in faults.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        whole = number and isinstance(value, int)
        if name == "deliveries" and not (whole and value >= 1):
            raise ValueError(f"faults['deliveries'] is {value!r}; it must be a whole number from 1 on")
        if name == "seed" and not whole:
            raise ValueError(f"faults['seed'] is {value!r}; it must be a whole number")
        if name in _CHANCES and not (number and 0 <= value <= 1):
            raise ValueError(f"faults[{name!r}] is {value!r}; it must be a chance from 0 to 1")
        if name in _TIMES and not (number and 0 <= value < float("inf")):
            raise ValueError(f"faults[{name!r}] is {value!r}; it must be a number of seconds from 0 on")
    chaos = {name: value for name, value in faults.items() if name != "deliveries"}
    return Faults(int(faults.get("deliveries", 1)), chaos)
