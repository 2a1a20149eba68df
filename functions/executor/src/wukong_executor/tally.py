"""What one executor has done and moved, for the counters of its job."""

from __future__ import annotations

from dataclasses import replace

from wukong.kvs.store import Counters as KvsCounters
from wukong.kvs.store import Kvs
from wukong.mds.counters import Counters
from wukong.mds.store import Mds
from wukong_executor.offloading import Offloading
from wukong_executor.timesheet import Timesheet


def moved(by: Mds | KvsCounters) -> Counters:
    """What a store has moved in the life of this process."""
    return Counters(round_trips=by.round_trips, bytes_read=by.bytes_read, bytes_written=by.bytes_written)


class Tally:
    """The counts of one holder. The stores' own are of the process, which lives longer.

    Attributes:
        tasks_run: Runs of tasks so far.
    """

    def __init__(
        self, mds: Mds, kvs: Kvs, offloading: Offloading, times: Timesheet, memory_limit: int, before: Counters
    ) -> None:
        """One holder's.

        Args:
            mds: The metadata store.
            kvs: The key-value store, which the holder has not used yet.
            offloading: The holder's.
            times: The holder's.
            memory_limit: Of the function, in bytes.
            before: What the metadata store had moved before the holder's first call.
        """
        self._mds = mds
        self._kvs = kvs
        self._offloading = offloading
        self._times = times
        self._memory_limit = memory_limit
        self._taken = before + moved(kvs.counters())
        self.tasks_run = 0

    def take(self, peak: int, healed: int) -> Counters:
        """What came since this was asked last, and the round trip of the call that tells it; but not its bytes.

        Args:
            peak: The most bytes that the process ever had.
            healed: Runs of tasks whose values were lost, so far.
        """
        phases, milliseconds = self._times.read()
        now = self._moved()
        totals = replace(
            now,
            round_trips=now.round_trips + 1,
            tasks_run=self.tasks_run,
            healed=healed,
            peak_memory=peak,
            mb_ms=milliseconds * (self._memory_limit >> 20),
            **phases,
        )
        taken, self._taken = self._taken, totals
        return totals.since(taken)

    def _moved(self) -> Counters:
        """What this process has moved in its life."""
        return moved(self._mds) + moved(self._kvs.counters()) + Counters(bytes_written=self._offloading.streamed)
