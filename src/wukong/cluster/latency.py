"""What an embedded cluster is told to take longer, so that a laptop feels like AWS."""

from __future__ import annotations

import math
from collections.abc import Mapping

#: Ready settings by their names. "aws": within one region, from a function without a warm environment to a Redis in
#: its own availability zone.
NAMED: Mapping[str, Mapping[str, float]] = {
    "aws": {"invoke_seconds": 0.05, "cold_start_seconds": 1.0, "store_seconds": 0.0005, "store_mb_per_second": 75},
}
_KNOWN = ("invoke_seconds", "cold_start_seconds", "store_seconds", "store_mb_per_second")


def parse(latency: str | Mapping[str, float]) -> dict[str, float]:
    """The latency that a user asked for, by the names of the emulator's settings.

    Raises:
        ValueError: A name is unknown, or a value is outside its range.
    """
    if isinstance(latency, str):
        if latency not in NAMED:
            raise ValueError(f"unknown latency {latency!r}; known are {', '.join(map(repr, NAMED))}, or a dictionary")
        return dict(NAMED[latency])
    if not isinstance(latency, Mapping):
        raise ValueError(f"latency is {latency!r}; it must be 'aws' or a dictionary of {', '.join(_KNOWN)}")
    unknown = set(latency) - set(_KNOWN)
    if unknown:
        raise ValueError(f"unknown latencies: {', '.join(sorted(unknown))}; known are {', '.join(_KNOWN)}")
    for name, value in latency.items():
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name == "store_mb_per_second" and not (number and 0 < value < math.inf):
            raise ValueError(f"latency[{name!r}] is {value!r}; it must be above 0, in millions of bytes per second")
        if not (number and 0 <= value < math.inf):
            raise ValueError(f"latency[{name!r}] is {value!r}; it must be a number of seconds from 0 on")
    return dict(latency)
