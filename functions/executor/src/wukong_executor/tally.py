"""What one executor has done and moved, for the counters of its job."""

from __future__ import annotations

from dataclasses import replace

from wukong.kvs.store import Kvs
from wukong.mds.counters import Counters
from wukong.mds.store import Mds
from wukong_executor.offloading import Offloading
from wukong_executor.timesheet import Timesheet


class Tally:
    """The counts of one holder. The stores' own are of the process, which lives longer.

    Attributes:
        tasks_run: Runs of tasks so far.
    """

    def __init__(self, mds: Mds, kvs: Kvs, offloading: Offloading, times: Timesheet, memory_limit: int) -> None:
        """`memory_limit` is in bytes."""
        self._mds = mds
        self._kvs = kvs
        self._offloading = offloading
        self._times = times
        self._memory_limit = memory_limit
        self._taken = self._moved()
        self.tasks_run = 0

    def take(self, peak: int, healed: int) -> Counters:
        """What came since this was asked last.

        Args:
            peak: The most bytes that the process ever had.
            healed: Runs of tasks whose values were lost, so far.
        """
        phases, milliseconds = self._times.read()
        totals = replace(
            self._moved(),
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
        mds, kvs = self._mds, self._kvs.counters()
        return Counters(
            round_trips=mds.round_trips + kvs.round_trips,
            bytes_read=mds.bytes_read + kvs.bytes_read,
            bytes_written=mds.bytes_written + kvs.bytes_written + self._offloading.streamed,
        )
