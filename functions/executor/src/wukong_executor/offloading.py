"""Gives pieces of one record's work away: their inputs are stored, their records made, their executors invoked.

Up to `WUKONG_MAX_TASK_FANOUT` pieces are invoked from here. More are one request to the KVS proxy, if there is one;
when that fails, whatever it did, they go from here after all, under the same name, and what is there already stays.
Above `WUKONG_INVOKER_THRESHOLD` the invoker function is asked instead (`wukong_executor.invocations`), which spreads
over more processors than a proxy has. docs/fan-out.md has what was measured.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wukong.engine.instructions import Offload, Piece
from wukong.errors import WukongError
from wukong.graph.page_index import first_pages
from wukong.mds.records import Record
from wukong.mds.store import Begun, Status
from wukong_executor.environment import Environment
from wukong_executor.invocations import invoke
from wukong_executor.lease import Lease
from wukong_executor.memory import INLINE_BYTES, Memory

log = logging.getLogger(__name__)

#: Bytes up to which a value that all pieces need goes along with the request to the proxy. That saves a round trip to
#: the store; of larger values the detour costs more than that.
STREAMED_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Given:
    """What became of an offload.

    Attributes:
        status: Whether this executor still holds its record.
        offload: Its id.
        records: Those of its pieces that were accepted, from the first on.
        stored: Marks of the values that were stored for it.
    """

    status: Status
    offload: str
    records: Sequence[Record]
    stored: Mapping[int, bytes]


class Offloading:
    """Gives work of one holder away.

    Args:
        environment: The stores and Lambda.
        memory: The holder's values.
        lease: The holder's on its record.
        begun: What the holder was told.
        seconds: After how long stored values may vanish.
    """

    def __init__(self, environment: Environment, memory: Memory, lease: Lease, begun: Begun, seconds: float) -> None:
        self._environment = environment
        self._memory = memory
        self._lease = lease
        self._begun = begun
        self._seconds = seconds
        #: Bytes of values that the proxy stored instead of this executor.
        self.streamed = 0

    def give(self, instruction: Offload) -> Given:
        """Give pieces away, as many as the job has room for.

        Raises:
            StoreFull, ClusterUnavailable: A store did not take something.
        """
        offload = f"{self._lease.token}-{instruction.sequence}"
        stored: dict[int, bytes] = {}
        if not instruction.end and self._wide(len(instruction.pieces)):
            try:
                return self._through_proxy(offload, instruction.pieces, stored)
            except WukongError as error:
                log.warning("the wide fan-out %s of job %s goes directly: %s", offload, self._lease.job, error)
        records = self._records(instruction.pieces, stored)
        status, accepted = self._lease.offload(offload, records, instruction.end)
        self._invoke(offload, records, range(accepted))
        return Given(status, offload, records[:accepted], stored)

    def _wide(self, count: int) -> bool:
        """Whether so many pieces go through the proxy."""
        environment = self._environment
        if not environment.proxy_address or environment.spreading.spreads(count):
            return False
        return count > environment.max_task_fanout

    def _through_proxy(self, offload: str, pieces: Sequence[Piece], stored: dict[int, bytes]) -> Given:
        from wukong_executor.fan_out import Shared, Wide, through_proxy

        environment, memory = self._environment, self._memory
        task = self._shared(pieces)
        shared = None if task is None else Shared(task, *memory.announce(task), self._seconds)
        known = dict(stored) if shared is None else {**stored, shared.task: shared.mark}
        records = self._records(pieces, known)
        stored.update((other, mark) for other, mark in known.items() if other != task)
        wide = Wide(
            self._lease.job,
            self._lease.record,
            self._lease.token,
            self._lease.generation,
            offload,
            self._lease.seconds,
            records,
            [self._pages(record) for record in records],
            shared,
        )
        status, accepted, left = through_proxy(
            environment.proxy_address, environment.proxy_token, wide, environment.told
        )
        if shared is not None:
            self.streamed += memory.nbytes(shared.task)
            memory.written(shared.task)
        self._invoke(offload, records, left)
        return Given(status, offload, records[:accepted], known)

    def _shared(self, pieces: Sequence[Piece]) -> int | None:
        """A value that all pieces need, nobody has stored and no mark can carry; the largest worth streaming."""
        wanted = {task for task, mark in pieces[0].inputs if mark is None}
        for piece in pieces[1:]:
            wanted.intersection_update([task for task, _ in piece.inputs])
        sizes = {task: self._memory.nbytes(task) for task in wanted}
        fitting = [task for task, nbytes in sizes.items() if INLINE_BYTES < nbytes <= STREAMED_BYTES]
        return max(fitting, key=lambda task: sizes[task], default=None)

    def _records(self, pieces: Sequence[Piece], stored: dict[int, bytes]) -> list[Record]:
        """A record for each piece; what has to be stored for them, and is not in `stored`, is."""
        depth = self._begun.depth + 1
        return [
            Record("", piece.entries, [(task, self._input(task, mark, stored)) for task, mark in piece.inputs], depth)
            for piece in pieces
        ]

    def _input(self, task: int, mark: bytes | None, stored: dict[int, bytes]) -> bytes:
        if mark is None:
            mark = stored.get(task) or self._memory.inline(task, INLINE_BYTES)
        if mark is None:
            mark = stored[task] = self._memory.store(task)
        return mark

    def _invoke(self, offload: str, records: Sequence[Record], numbers: Sequence[int]) -> None:
        if numbers:
            wanted = {f"{offload}.{number}": self._pages(records[number]) for number in numbers}
            invoke(self._environment, self._lease.job, wanted)

    def _pages(self, record: Record) -> list[int]:
        return first_pages(record.entries, self._begun.first_tasks)
