"""Removes values from the KVS that nobody can need any more. What is not removed goes with its job."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from wukong.errors import WukongError
from wukong.mds.store import Mds
from wukong.values.values import Values

log = logging.getLogger(__name__)


class Garbage:
    """The values of one job that are not needed.

    Args:
        mds: Knows which are.
        values: The values.
        job: Whose they are.
    """

    def __init__(self, mds: Mds, values: Values, job: str) -> None:
        self._mds = mds
        self._values = values
        self._job = job

    def free(self, marks: Sequence[bytes]) -> None:
        """Remove the values for which the metadata store said that no mark stands any more."""
        try:
            self._values.free(self._job, marks)
        except WukongError as error:
            log.warning("%d values of job %s stay until it is purged: %s", len(marks), self._job, error)

    def collect(self) -> int:
        """Remove what holders have stored that are none any more, if no mark stands for it; returns how much that was.

        A holder may be about to name what it stored, and whoever is none any more names nothing.
        """

        def needed() -> Callable[[str, str], bool]:
            holders, values = self._mds.needed(self._job)
            named = {(place.name, place.token) for place in self._values.places(self._job, values)}
            return lambda name, token: token in holders or (name, token) in named

        try:
            return self._values.kvs.collect(self._job, needed)
        except WukongError as error:
            log.warning("nothing of job %s was removed from a full KVS: %s", self._job, error)
            return 0
