"""What was uploaded ahead of jobs, as the in-memory metadata store keeps it: pages and inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wukong.mds import keys


@dataclass(slots=True)
class _Input:
    """An uploaded input: where it is (None if that is lost), until when (milliseconds), whose its copies are, and who
    holds it.
    """

    mark: bytes | None
    expires: int
    owners: dict[str, None] = field(default_factory=dict)
    holders: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Held:
    """The inputs that one job holds, the owners that it freed, and until when that is remembered (milliseconds)."""

    expires: int
    hashes: set[str] = field(default_factory=set)
    freed: dict[str, None] = field(default_factory=dict)


class Uploads:
    """Pages and inputs by content hash. All times are milliseconds; what is past its time is gone."""

    def __init__(self) -> None:
        self._pages: dict[str, tuple[bytes, int]] = {}
        self._inputs: dict[str, _Input] = {}
        self._held: dict[str, _Held] = {}

    def expire(self, now: int) -> None:
        """Forget what is past its time."""
        self._pages = {name: page for name, page in self._pages.items() if page[1] >= now}
        self._inputs = {name: item for name, item in self._inputs.items() if item.expires >= now}
        self._held = {job: held for job, held in self._held.items() if held.expires >= now}

    def put_page(self, name: str, data: bytes, expires: int) -> None:
        """Keep a page."""
        self._pages[name] = (data, expires)

    def page(self, name: str) -> bytes | None:
        """A page, if it is here."""
        return self._pages[name][0] if name in self._pages else None

    def hold(self, name: str, job: str, expires: int) -> bytes | None:
        """Hold a known input for a job, if it lives long enough; returns its mark."""
        item = self._inputs.get(name)
        if item is None or item.mark is None or item.expires < expires:
            return None
        item.holders.add(job)
        self._note(name, job, expires)
        return item.mark

    def place(self, name: str, job: str, mark: bytes, owner: str, expires: int) -> None:
        """Hold an input that was just uploaded. A copy that lives longer stays the one that others are told of."""
        item = self._inputs.get(name)
        if item is None:
            item = self._inputs[name] = _Input(mark, expires)
        elif item.mark is None or item.expires < expires:
            item.mark, item.expires = mark, expires
        item.owners[owner] = None
        item.holders.add(job)
        self._note(name, job, expires)

    def lose(self, name: str, mark: bytes) -> None:
        """Forget where an input is, if it is there."""
        item = self._inputs.get(name)
        if item is not None and item.mark == mark:
            item.mark = None

    def keep(self, job: str, names: Sequence[str], expires: int) -> None:
        """Remember the inputs of a job until exactly then."""
        if not names:
            return
        held = self._held.setdefault(job, _Held(expires))
        held.hashes.update(names)
        held.expires = expires

    def prolong(self, job: str, expires: int) -> None:
        """Remember the inputs of a job until then, if any are."""
        if job in self._held:
            self._held[job].expires = max(self._held[job].expires, expires)

    def drop(self, job: str) -> list[str]:
        """A job lets go of its inputs; returns the owners of those that nobody holds any more, until `forget`."""
        held = self._held.get(job)
        if held is None:
            return []
        for name in sorted(held.hashes):
            item = self._inputs.get(name)
            if item is None or job not in item.holders:
                continue
            item.holders.remove(job)
            if not item.holders:
                del self._inputs[name]
                held.freed.update(item.owners)
        held.hashes.clear()
        if not held.freed:
            self.forget(job)
        return list(held.freed)

    def forget(self, job: str) -> None:
        """Remove the note of what a job holds."""
        self._held.pop(job, None)

    def keys(self) -> list[str]:
        """The names of the keys that a server would hold for all this."""
        return [
            *(keys.uploaded_page(name) for name in self._pages),
            *(keys.uploaded_input(name) for name in self._inputs),
            *(keys.job_inputs(job) for job in self._held),
        ]

    def _note(self, name: str, job: str, expires: int) -> None:
        held = self._held.setdefault(job, _Held(expires))
        held.hashes.add(name)
        held.expires = max(held.expires, expires)
