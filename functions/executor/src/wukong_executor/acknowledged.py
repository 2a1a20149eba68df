"""What the metadata store acknowledged of late. Pure: no store, no clock.

A store that starts again may have forgotten its last second. So whoever finds that it did sends again what was
acknowledged in the last ten, and treats the answers as new ones: marks and results stand where they are still there,
and come back where they are not; a claim has an owner again. Calls are repeated without what only counts up (counters,
logs), and without their end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from wukong.mds.store import Answer, Arrival, Sync, Verdict

#: Seconds for which a call is kept: more than a store ever forgets.
SECONDS = 10.0

#: Bytes of marks and results that are kept at most; the oldest calls go first.
BYTES = 16 * 1024 * 1024


class Acknowledged:
    """The calls of one holder.

    Args:
        claims: Fan-ins that its record had claimed when it began.
    """

    def __init__(self, claims: Iterable[int] = ()) -> None:
        self._claimed = set(claims)
        #: When, how large, and what to send again.
        self._calls: deque[tuple[float, int, Sync]] = deque()
        self._bytes = 0

    def note(self, call: Sync, answers: Sequence[Answer], now: float) -> None:
        """The store acknowledged a call."""
        arrivals = list(self._arrivals(call.arrivals, answers))
        if arrivals or call.results:
            nbytes = sum(len(mark) for arrival in arrivals for _, mark in arrival.marks)
            nbytes += sum(len(mark) for _, mark in call.results)
            self._calls.append((now, nbytes, Sync(arrivals, call.results)))
            self._bytes += nbytes
        while self._calls and (self._bytes > BYTES or self._calls[0][0] < now - SECONDS):
            self._bytes -= self._calls.popleft()[1]

    def again(self, now: float) -> list[Sync]:
        """The calls to send again, the oldest first."""
        return [call for at, _, call in self._calls if at >= now - SECONDS]

    def claimed(self, call: Sync, answers: Sequence[Answer]) -> list[int]:
        """Fan-ins that are the record's only since one of those calls was sent again: nobody else has them."""
        found = [arrival.child for arrival, answer in zip(call.arrivals, answers, strict=True) if _claims(answer)]
        new = [child for child in found if child not in self._claimed]
        self._claimed.update(new)
        return new

    def _arrivals(self, arrivals: Sequence[Arrival], answers: Sequence[Answer]) -> Iterator[Arrival]:
        for arrival, answer in zip(arrivals, answers, strict=True):
            if _claims(answer):
                self._claimed.add(arrival.child)
                yield arrival
            elif arrival.marks:
                # What was offered in vain is stored next, and marked; to offer it again would not be true any more.
                yield replace(arrival, offers=())


def _claims(answer: Answer) -> bool:
    return answer.verdict is Verdict.CLAIMED
