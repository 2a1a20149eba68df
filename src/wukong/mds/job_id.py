"""Which ids jobs may have.

Clients choose the ids, and an id becomes a part of the names of keys (`wukong.mds.keys`, `wukong.kvs.keys`), so whoever
gets one over the wire checks it first: a colon would let one job's keys meet another's, and a word with which keys of
the cluster begin would let them meet those.
"""

from __future__ import annotations

import re

from wukong.errors import InvalidGraph
from wukong.mds.keys import RESERVED

_FORM = re.compile(r"[A-Za-z0-9._-]{1,128}")

#: Characters of a refused id that its error shows.
_SHOWN = 140


def is_job_id(text: str) -> bool:
    """Whether a job may have this id: 1 to 128 letters and digits of ASCII, dots, dashes and underscores.

    The few words of `wukong.mds.keys.RESERVED` are none.
    """
    return _FORM.fullmatch(text) is not None and text not in RESERVED


def check_job_id(text: str) -> None:
    """Raise `InvalidGraph` unless a job may have this id."""
    if text in RESERVED:
        raise InvalidGraph(f"no job can have the id {text!r}, which names keys of the whole cluster; choose another")
    if not is_job_id(text):
        raise InvalidGraph(f"{text[:_SHOWN]!r} is no job id: it has 1 to 128 letters, digits, '.', '-' and '_'")
