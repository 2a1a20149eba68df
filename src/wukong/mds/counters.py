"""What a job did and moved. Its fields are the one table of all that is counted.

A field has the same name in the job's hash of the metadata store and, where users see it as it is, in the message
`Report`. A counter more is a line here, one in the message, and one where it is counted.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Counters:
    """Counts of one job, or of one executor. All are sums but the peaks, which are the largest.

    Attributes:
        tasks_run: Runs of tasks, without those that raised.
        healed: Those of them that computed a value again because it was lost.
        executors: Executors that began.
        cold_starts: Those that began in a fresh environment.
        invocations: Invocations that were asked for.
        round_trips: Round trips to the stores.
        bytes_read: Bytes read from the stores.
        bytes_written: Bytes written to the stores.
        peak_memory: Resident bytes of an executor's process at most.
        peak_stored: Bytes of values at most that were in the KVS and that marks stood for.
        mb_ms: Milliseconds of each executor, rounded up, times the MB of its function's memory.
        starting_us: Microseconds of executors, as `wukong.mds.phase.Phase` divides them.
        running_us: The same.
        reading_us: The same.
        writing_us: The same.
        reporting_us: The same.
        waiting_us: The same.
    """

    tasks_run: int = 0
    healed: int = 0
    executors: int = 0
    cold_starts: int = 0
    invocations: int = 0
    round_trips: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    peak_memory: int = 0
    peak_stored: int = 0
    mb_ms: int = 0
    starting_us: int = 0
    running_us: int = 0
    reading_us: int = 0
    writing_us: int = 0
    reporting_us: int = 0
    waiting_us: int = 0

    def __add__(self, other: Counters) -> Counters:
        """Both together."""
        together = list(map(operator.add, _values(self), _values(other)))
        for name, at in _PEAKS.items():
            together[at] = max(getattr(self, name), getattr(other, name))
        return Counters(*together)

    def since(self, earlier: Counters) -> Counters:
        """What has to be added to `earlier` to get this."""
        more = list(map(operator.sub, _values(self), _values(earlier)))
        for name, at in _PEAKS.items():
            more[at] = getattr(self, name)
        return Counters(*more)


#: The names of all counters.
NAMES = tuple(field.name for field in fields(Counters))

_values = operator.attrgetter(*NAMES)
_PEAKS = {name: NAMES.index(name) for name in ("peak_memory", "peak_stored")}

#: Nothing done.
NOTHING = Counters()
