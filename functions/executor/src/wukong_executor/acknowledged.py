"""What the metadata store acknowledged of late. Pure: no store, no clock.

A store that starts again may have forgotten its last second: it is what it was then. So whoever meets another server
than before sends again what the one before it acknowledged last, in that order, and treats the answers as new ones:

* marks and results stand where they are still there, and come back where they are not; a claim has an owner again;
* of an offload, the records that were accepted come back, all of them, whatever room there is now. Nobody is invoked
  for them: who was may still come, and else the sweep finds them;
* a value that was lost and computed again is told of again: where that is forgotten it is still left to this holder,
  who would never come back to it, and others wait for it.

Calls are repeated without what only counts up (counters, logs), and without their end. What is sent again is kept
anew, since the store may start again a second time.

What the same server had acknowledged ten seconds before it acknowledged something else is safe, and dropped. Time alone
makes nothing safe: a holder that hears nothing of the store for a minute may have to send what is older than that.

`begin` is not repeated. Where it was forgotten the holder is told that its record is not its own, and stops; all that
it did is forgotten as well, but for what can be read in the KVS, and the record is there for the next holder. Or the
record is not, because the offload that made it was forgotten: then its giver sends that again or is begun anew itself.

Nor can an end be repeated, whose caller is gone: so an end says what was acknowledged (`Sync.after`, `Sync.gave`), and
does not take effect where the store has forgotten that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TypeAlias

from wukong.mds.records import Record
from wukong.mds.store import Answer, Arrival, Sync, Verdict

#: Seconds for which a server must have gone on for a call to be safe: more than a store ever forgets.
SECONDS = 10.0

#: Bytes of marks and results that are kept at most; the oldest calls go first.
BYTES = 16 * 1024 * 1024

#: Bytes that a task of a piece is taken to have.
TASK_BYTES = 8


@dataclass(frozen=True, slots=True)
class Gave:
    """An offload, as it is sent again: the pieces that were accepted."""

    offload: str
    pieces: Sequence[Record]


@dataclass(frozen=True, slots=True)
class Healed:
    """A value that was lost, and is where the mark says."""

    task: int
    mark: bytes


#: What is sent again.
Call: TypeAlias = Sync | Gave | Healed


class Acknowledged:
    """The calls of one holder.

    Args:
        claims: Fan-ins that its record had claimed when it began.
        server: The server that answered then, as a number (`Mds.reconnects`).
    """

    def __init__(self, claims: Iterable[int] = (), server: int = 0) -> None:
        self._claimed = set(claims)
        self._server = server
        #: When, how large, and what to send again.
        self._calls: deque[tuple[float, int, Call]] = deque()
        self._bytes = 0
        self._number = 0
        self._after = 0

    def stamp(self, call: Sync) -> Sync:
        """A call as it is sent: with its number, and with what the store must not have forgotten if it ends."""
        self._number += 1
        gave = [kept.offload for _, _, kept in self._calls if isinstance(kept, Gave)] if call.end else ()
        return replace(call, number=self._number, after=self._after, gave=gave)

    def missed(self, server: int) -> bool:
        """Whether this is another server than the one that has all of the calls."""
        return server != self._server

    def note(self, call: Sync, answers: Sequence[Answer], now: float, server: int) -> None:
        """The server acknowledged a call."""
        self._after = call.number
        arrivals = list(self._arrivals(call.arrivals, answers))
        if arrivals or call.results:
            nbytes = sum(len(mark) for arrival in arrivals for _, mark in arrival.marks)
            nbytes += sum(len(mark) for _, mark in call.results)
            self._keep(Sync(arrivals, call.results), nbytes, now)
        self._forget(now, server)

    def note_offload(self, offload: str, accepted: Sequence[Record], now: float, server: int) -> None:
        """The server acknowledged an offload; `accepted` are those of its pieces that have records now."""
        if not accepted:
            return
        nbytes = sum(len(mark) for piece in accepted for _, mark in piece.inputs)
        nbytes += TASK_BYTES * sum(len(piece.entries) for piece in accepted)
        self._keep(Gave(offload, accepted), nbytes, now)
        self._forget(now, server)

    def note_healed(self, task: int, mark: bytes, now: float, server: int) -> None:
        """The server acknowledged where a value is that was lost."""
        self._keep(Healed(task, mark), len(mark), now)
        self._forget(now, server)

    def again(self, server: int) -> list[Call]:
        """The calls to send to this server, the oldest first.

        They are kept no more: each is noted when it is acknowledged.
        """
        calls = [call for _, _, call in self._calls]
        self._calls.clear()
        self._server = server
        self._bytes = self._after = 0
        return calls

    def claimed(self, call: Sync, answers: Sequence[Answer]) -> list[int]:
        """Fan-ins that are the record's only since one of those calls was sent again: nobody else has them."""
        found = [arrival.child for arrival, answer in zip(call.arrivals, answers, strict=True) if _claims(answer)]
        new = [child for child in found if child not in self._claimed]
        self._claimed.update(new)
        return new

    def _keep(self, call: Call, nbytes: int, now: float) -> None:
        self._calls.append((now, nbytes, call))
        self._bytes += nbytes

    def _forget(self, now: float, server: int) -> None:
        safe = -inf if self.missed(server) else now - SECONDS
        while self._calls and (self._bytes > BYTES or self._calls[0][0] < safe):
            self._bytes -= self._calls.popleft()[1]

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
