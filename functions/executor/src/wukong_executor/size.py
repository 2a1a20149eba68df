"""How large a value is, at a glance: an estimate that costs microseconds and packs nothing."""

from __future__ import annotations

from typing import Any


def estimated_bytes(value: Any) -> int:
    """About the bytes of a value in memory: what it says itself, else Dask's estimate, 0 where it has none."""
    nbytes = getattr(value, "nbytes", None)
    if type(nbytes) is int:
        return nbytes
    # Not at the head: it takes long to import, and most policies never ask.
    from dask.sizeof import sizeof

    try:
        return int(sizeof(value))
    except Exception:  # a value of the user's own, whose idea of its size may be anything
        return 0
