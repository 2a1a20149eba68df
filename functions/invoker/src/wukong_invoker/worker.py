"""One process of the crew: takes records from its pipe, invokes the executor for each, and answers how many are left.

Its threads wait for answers; the process is there because one interpreter makes only so many requests a second,
whatever its threads. Connections are kept. Requests go at the pace that the operator allows. A refused one is made
again after growing pauses while there is time.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import monotonic, sleep

from wukong.invocation.api import InvokeApi
from wukong.invocation.event import executor_event
from wukong.invocation.pacing import Pacing, Turns
from wukong.invocation.refusal import pauses
from wukong.invocation.requests import Requests

#: Requests under way at once from one process.
THREADS = 16

#: Seconds before a refused request is made again; each further pause is twice as long.
FIRST_PAUSE = 0.05

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """What a worker is asked to do.

    Attributes:
        job: Whose records they are.
        records: Record -> the pages of its entries.
        until: When to give up, on the machine's steady clock.
        trace: The trace header of the invocation that asks.
    """

    job: str
    records: Mapping[str, Sequence[int]]
    until: float
    trace: str


def serve(pipe: Connection, others: Sequence[Connection], api: InvokeApi, pacing: Pacing) -> None:
    """Work until the pipe ends, at this pace.

    `others` are ends of pipes that this process inherited and that are not its own.
    """
    for other in others:
        other.close()
    requests = Requests(api)
    turns = pacing.turns()
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            try:
                work: Work = pipe.recv()
            except EOFError:
                return

            def start(record: str, work: Work = work) -> bool:
                return _start(requests, turns, work, record)

            pipe.send(len(work.records) - sum(pool.map(start, work.records)))


def _start(requests: Requests, turns: Turns, work: Work, record: str) -> bool:
    """Ask for one executor as long as there is time; returns whether that was accepted."""
    payload = executor_event(work.job, record, work.records[record])
    waits = pauses(FIRST_PAUSE, work.until - monotonic())
    while (seconds := turns.wait()) < work.until - monotonic():
        if seconds:
            sleep(seconds)
            continue
        refused = requests.post(payload, work.trace)
        turns.answered(refused)
        if refused is None:
            return True
        pause = next(waits, None)
        if pause is None or not refused.passes:
            _log.warning("record %s of job %s was not invoked (%s); the scheduler will", record, work.job, refused)
            return False
        sleep(pause)
    return False
