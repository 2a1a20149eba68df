"""Worker processes that stay between invocations, and the pipes to them.

They are forked, since a fresh interpreter would take longer to import botocore than to invoke a thousand executors, and
talk over pipes only: Lambda has no /dev/shm for the semaphores of multiprocessing's pools and queues. Forking is safe
because this process never has a thread or a connection of its own: those are the workers'. (A thread that the
emulator's runtime has waits in a read and holds no lock.) A worker closes what it inherited of the others' pipes, so
each ends as soon as this process does.

A worker that dies, or does not answer in time, is replaced; what it had is left to the scheduler's sweep.
"""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from time import monotonic

from wukong.invocation.api import InvokeApi
from wukong.invocation.pacing import Pacing
from wukong_invoker import worker
from wukong_invoker.sharing import deal
from wukong_invoker.worker import Work

#: As fast as Lambda answers.
NO_PACING = Pacing()

_log = logging.getLogger(__name__)
_fork = multiprocessing.get_context("fork")


class Crew:
    """`count` workers that invoke one function.

    Args:
        api: Makes the requests that the workers send.
        count: Processes.
        pacing: How fast they do, together.
    """

    def __init__(self, api: InvokeApi, count: int, pacing: Pacing = NO_PACING) -> None:
        self._api = api
        self._pacing = pacing.share(count)
        self._members: list[_Member] = []
        for _ in range(count):
            self._members.append(self._hire())

    def start(self, job: str, records: Mapping[str, Sequence[int]], until: float, trace: str) -> int:
        """Start an executor for each record.

        Args:
            job: Whose records they are.
            records: Record -> the pages of its entries.
            until: When to give up, on the machine's steady clock.
            trace: The trace header of the invocation under way; empty for none.

        Returns:
            How many records are left.
        """
        busy: dict[Connection, tuple[int, int]] = {}
        left = 0
        for number, share in enumerate(deal(records, len(self._members))):
            pipe = self._members[number].pipe
            try:
                pipe.send(Work(job, share, until, trace))
            except OSError:
                left += self._lost(number, len(share))
            else:
                busy[pipe] = number, len(share)
        while busy:
            ready = wait(list(busy), max(0.0, until - monotonic()))
            for pipe in [pipe for pipe in busy if pipe in ready or not ready]:
                number, size = busy.pop(pipe)
                left += self._answer(number, size) if ready else self._lost(number, size)
        return left

    def close(self) -> None:
        """End the workers."""
        for member in self._members:
            member.end()
        self._members.clear()

    def pids(self) -> list[int]:
        """The process of each worker."""
        return [member.process.pid or 0 for member in self._members]

    def _answer(self, number: int, size: int) -> int:
        try:
            answer: int = self._members[number].pipe.recv()
            return answer
        except (EOFError, OSError):
            return self._lost(number, size)

    def _lost(self, number: int, size: int) -> int:
        _log.warning("a worker is gone or does not answer; up to %d records are left to the sweep", size)
        self._members[number].end()
        self._members[number] = self._hire()
        return size

    def _hire(self) -> _Member:
        mine, theirs = _fork.Pipe()
        inherited = [mine, *(member.pipe for member in self._members if not member.pipe.closed)]
        process = _fork.Process(target=worker.serve, args=(theirs, inherited, self._api, self._pacing), daemon=True)
        process.start()
        theirs.close()
        return _Member(process, mine)


class _Member:
    """One worker, as this process sees it."""

    def __init__(self, process: multiprocessing.context.ForkProcess, pipe: Connection) -> None:
        self.process = process
        self.pipe = pipe

    def end(self) -> None:
        """End it, whatever it does."""
        self.pipe.close()
        self.process.kill()
        self.process.join()
