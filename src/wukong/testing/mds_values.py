"""Which values of one job marks stand for, as the in-memory metadata store counts it: the model of `values.lua`."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from wukong.testing.mds_record import LiveRecord
from wukong.values import mark as marks
from wukong.values.manifest import Manifest

#: Of a mark and a job: the mark of the manifest and the bytes of the value, where it is one of the job's in the KVS.
Stored = Callable[[bytes, str], tuple[bytes, int] | None]


def stored(mark: bytes, job: str) -> tuple[bytes, int] | None:
    """What `Stored` says of real marks."""
    try:
        if mark.startswith(marks.BUNDLE_TAG):
            mark = marks.split_part_mark(mark).bundle
        if not mark.startswith(marks.MANIFEST_TAG):
            return None
        manifest = Manifest.decode(marks.split_manifest_mark(mark)[1])
    except (ValueError, struct.error):
        return None
    return (mark, marks.nbytes(mark)) if manifest.owner == job else None


class NamedValues:
    """In how many places each value is named."""

    def __init__(self, job: str, understand: Stored, count: Callable[[int], None]) -> None:
        """`count` is told of so many bytes more, or fewer."""
        self._job = job
        self._count = count
        self._understand = understand
        self.places: dict[bytes, int] = {}

    def named(self, mark: bytes, live: LiveRecord) -> None:
        """One place more names a value, as the record says."""
        if (found := self._understand(mark, self._job)) is None:
            return
        value, nbytes = found
        self.places[value] = self.places.get(value, 0) + 1
        if self.places[value] == 1:
            self.places[value] = 2
            live.values[value] = None
            self._count(nbytes)

    def unnamed(self, marks: Iterable[bytes]) -> list[bytes]:
        """For each mark one place less names its value; returns those that are named nowhere any more."""
        freed: list[bytes] = []
        for mark in marks:
            if (found := self._understand(mark, self._job)) is None:
                continue
            value, nbytes = found
            places = self.places.pop(value, 0) - 1
            if places > 0:
                self.places[value] = places
            elif places == 0:
                freed.append(value)
                self._count(-nbytes)
        return freed
