"""Results that are lost after they were committed: who misses one says so, and the job runs again for it.

A result is known by the hash of its mark, so that a late or repeated word about a former value does nothing: the
metadata store compares the mark itself in the step that takes it away. New records read what is still there, and
compute the rest again; nobody knows here which of both it will be.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Sequence

from wukong.engine.policy.named import policy_named
from wukong.errors import ClusterUnavailable, InvalidGraph, UnknownJob
from wukong.mds.store import JobInfo, Mds
from wukong.rpc.v1 import scheduler_pb2
from wukong.values.mark import BUNDLE_TAG, MANIFEST_TAG, mark_hash
from wukong_scheduler.invocations import Invoke
from wukong_scheduler.removal import Removal
from wukong_scheduler.submission import INVOCATION_SECONDS, LARGE_BYTES
from wukong_scheduler.targets import Targets

_HASH = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


class Restoring:
    """Has results computed again."""

    def __init__(self, mds: Mds, removal: Removal, invoke: Invoke, lease: float, keep: float) -> None:
        """`lease` is an executor's, `keep` how long a job is kept that nobody asks for, both in seconds."""
        self._mds = mds
        self._removal = removal
        self._invoke = invoke
        self._lease = lease
        self._keep = keep

    def restore(self, job: str, missing: Iterable[scheduler_pb2.MissingResult]) -> None:
        """Have these results again, as far as they are where they were missed. Blocks.

        Raises:
            UnknownJob: There is no such job.
            InvalidGraph: One is no target of the job, or its hash is none.
        """
        named = _checked(missing)
        info = self._mds.job(job)
        if info is None:
            raise UnknownJob(job)
        if info.state not in ("running", "done"):
            return
        targets = set(Targets.decode(self._mds.targets(job)).tasks)
        if strange := sorted(named.keys() - targets):
            raise InvalidGraph(f"task {strange[0]} is no target of job {job!r}, so it has no result to restore")
        tasks = sorted(named)
        marks = dict(zip(tasks, self._mds.results(job, tasks), strict=True))
        lost = {task: mark for task in tasks if (mark := marks[task]) is not None and mark_hash(mark) == named[task]}
        if inline := [task for task, mark in lost.items() if not mark.startswith((MANIFEST_TAG, BUNDLE_TAG))]:
            raise InvalidGraph(f"the result of task {inline[0]} of job {job!r} is in its mark, and cannot be lost")
        if not lost:
            return
        self._prolong(job, info)
        groups = [[(task, lost[task]) for task in group] for group in _groups(info, list(lost))]
        records = self._mds.lose_results(job, groups, self._lease)
        if records:
            _log.warning("job %s has lost %d of its results, which are computed again", job, len(lost))
            self._invoke(job, dict.fromkeys(records, ()))

    def _prolong(self, job: str, info: JobInfo) -> None:
        """Let a job that is done live long enough to be done again, and its other results with it."""
        seconds = 2 * (info.ended - info.created) + self._keep
        if info.state != "done" or info.expires > time.time() + seconds:
            return
        try:
            self._removal.prolong(job, info, seconds)
        except ClusterUnavailable as error:
            _log.warning("job %s could not be prolonged before it runs again: %s", job, error)


def _checked(missing: Iterable[scheduler_pb2.MissingResult]) -> dict[int, str]:
    named = {result.task: result.mark_hash for result in missing}
    for task, found in named.items():
        if not _HASH.fullmatch(found):
            raise InvalidGraph(
                f"{found!r}, given for task {task}, is no mark's hash: it has 64 hexadecimal digits, and "
                "Data.GetResult tells it"
            )
    return named


def _groups(info: JobInfo, tasks: Sequence[int]) -> list[Sequence[int]]:
    """One group for each new executor, as if the tasks were leaves."""
    policy = policy_named(info.policy, INVOCATION_SECONDS, LARGE_BYTES)
    return policy.initial_groups(tasks, info.parallelism)
