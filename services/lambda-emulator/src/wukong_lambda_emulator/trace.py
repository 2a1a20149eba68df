"""The trace header that links invocations into chains, and the count by which Lambda detects loops.

A function that invokes passes on the header that its own invocation had (the SDK does it). Its `Lineage` holds,
for each function on the way, a short hash and how often the chain went through it: `1:HASH:COUNT`, several
separated by `|`.
"""

from __future__ import annotations

import hashlib
import os
import re
import time

# Lambda stops a chain that goes through one function more often.
LONGEST_CHAIN = 16

_ENTRY = re.compile(r"(?:\d+:)?([0-9a-f]{8}):(\d+)")


def follow(header: str, arn: str) -> tuple[str, int]:
    """The header of an invocation of `arn` by a caller that sent `header`, and how often the chain came here."""
    parts = dict(part.split("=", 1) for part in header.split(";") if "=" in part)
    root = parts.get("Root") or f"1-{int(time.time()):08x}-{os.urandom(12).hex()}"
    mark = hashlib.sha256(arn.encode()).hexdigest()[:8]
    visits = {name: int(count) for name, count in _ENTRY.findall(parts.get("Lineage", ""))}
    visits[mark] = visits.get(mark, 0) + 1
    lineage = "|".join(f"{name}:{count}" for name, count in visits.items())
    sampled = parts.get("Sampled", "0")
    return f"Root={root};Parent={os.urandom(8).hex()};Sampled={sampled};Lineage=1:{lineage}", visits[mark]
