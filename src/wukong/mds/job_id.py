"""Which ids jobs may have.

Clients choose the ids, and an id becomes a part of the names of keys (`wukong.mds.keys`, `wukong.kvs.keys`), so whoever
gets one over the wire checks it first: a colon would let one job's keys meet another's.
"""

from __future__ import annotations

import re

from wukong.errors import InvalidGraph

_FORM = re.compile(r"[A-Za-z0-9._-]{1,128}")

#: Characters of a refused id that its error shows.
_SHOWN = 140


def is_job_id(text: str) -> bool:
    """Whether a job may have this id: 1 to 128 letters and digits of ASCII, dots, dashes and underscores."""
    return _FORM.fullmatch(text) is not None


def check_job_id(text: str) -> None:
    """Raise `InvalidGraph` unless a job may have this id."""
    if not is_job_id(text):
        raise InvalidGraph(f"{text[:_SHOWN]!r} is no job id: it has 1 to 128 letters, digits, '.', '-' and '_'")
