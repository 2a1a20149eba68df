"""`Future`: the value of one call, which stays in the cluster for as long as somebody wants it."""

from __future__ import annotations

import concurrent.futures
import contextlib
import operator
import pickle
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import dask.threaded

from wukong.client.job import Job
from wukong.client.session import Session
from wukong.errors import InvalidGraph, JobCancelled, TaskError, WukongError
from wukong.graph.attempt import Failed
from wukong.graph.dag import Key
from wukong.graph.reference import Reference, ReferenceTask, value_of
from wukong.values.mark import MANIFEST_TAG


class Share:
    """What the futures of one job have in common. It does not refer to them, so that each can go when it likes.

    Args:
        session: The client's.
        count: How many futures there are.
    """

    def __init__(self, session: Session, count: int) -> None:
        self.session = session
        self._lock = threading.Lock()
        self._wanted = count
        self._job: Job | None = None

    @property
    def job(self) -> Job | None:
        """The job, once it is submitted."""
        return self._job

    @property
    def abandoned(self) -> bool:
        """Whether every future was cancelled."""
        return not self._wanted

    def started(self, job: Job) -> None:
        """The job is submitted."""
        with self._lock:
            self._job = job
        if self.abandoned:
            self._cancel(job)

    def leave(self) -> None:
        """One future was cancelled. The last one cancels the job."""
        with self._lock:
            self._wanted -= 1
            job = self._job
        if self.abandoned and job is not None:
            self._cancel(job)

    @staticmethod
    def _cancel(job: Job) -> None:
        with contextlib.suppress(WukongError):  # it ends by itself, or with its client
            job.cancel("its futures were cancelled")


class Remote:
    """In place of a value that is large, and left in the cluster until it is asked for."""


class Future(concurrent.futures.Future[Any], Reference):
    """The value of a call that runs on the cluster: made by `Client.submit` and `Client.map`.

    It works with `concurrent.futures.wait` and `as_completed`, and is a Dask collection. As an argument of later calls,
    and in graphs, it stands for its value, which then does not come here. The value stays in the cluster while the
    future lives.

    Attributes:
        key: The key of its task, unique.
    """

    def __init__(self, share: Share, key: Key) -> None:
        super().__init__()
        self.key = key
        self._share = share
        self._task = -1
        self._left = threading.Lock()

    @property
    def job(self) -> Job | None:
        """The job that computes it; None before it is submitted."""
        return self._share.job

    def running(self) -> bool:
        """Whether its job was submitted and it is not done."""
        return self._share.job is not None and not self.done()

    def cancel(self) -> bool:
        """Give the value up: `result` raises JobCancelled from now on. Returns whether it was not done before.

        A job whose futures are all cancelled is cancelled, and its running tasks are interrupted. While others want
        the job, the call may run without anybody to hear of it.
        """
        if not super().cancel():
            return False
        if self._left.acquire(blocking=False):
            self.set_running_or_notify_cancel()
            self._share.leave()
        return True

    def result(self, timeout: float | None = None) -> Any:
        """The value, once it is there. One above 64 KiB is read from the cluster every time anew.

        Args:
            timeout: The most seconds to wait.

        Raises:
            TimeoutError: It is not there in time.
            JobCancelled: It was cancelled.
            Exception: What the call raised, caused by a TaskError.
            WukongError: The job failed as a whole, or the value is gone.
        """
        found = self._outcome(timeout)
        return read([self])[0] if type(found) is Remote else found

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What `result` would raise, or None; the value itself is not read."""
        try:
            return super().exception(timeout)
        except concurrent.futures.CancelledError:
            raise self._cancelled() from None

    def stands(self, address: str) -> tuple[str, int]:
        """See `Reference`."""
        here = self._share.session.connection.address
        if here != address:
            raise InvalidGraph(
                f"the future {self.key!r} is one of another cluster ({here}) than {address}, which does not have its "
                "value; pass future.result()"
            )
        return self._source().id, self._task

    def _source(self) -> Job:
        """The job that has the value, once it is there."""
        self._outcome(None)
        self._share.session.check_holds(f"the value of the future {self.key!r}")
        job = self._share.job
        assert job is not None
        return job

    def value(self) -> Any:
        """See `Reference`."""
        return self.result()

    def settle(self, task: int, mark: bytes, value: Any) -> None:
        """The call has ended; without effect if the future was cancelled.

        Args:
            task: Its task.
            mark: Where its value stands, as far as it is known.
            value: The value, unless the mark is that of a large one.
        """
        self._task = task
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            if is_large(mark):
                self.set_result(Remote())
            elif isinstance(value, Failed):
                self.set_exception(_raised(value, self.key))
            else:
                self.set_result(value)

    def fail(self, error: BaseException) -> None:
        """The call will not end, because of this; without effect if the future is done."""
        with contextlib.suppress(concurrent.futures.InvalidStateError):
            self.set_exception(error)

    # A collection of Dask's: so futures are found at any depth of the arguments of delayed calls and of `dask.compute`.

    __dask_scheduler__ = staticmethod(dask.threaded.get)
    __dask_optimize__ = None

    def __dask_graph__(self) -> dict[Key, ReferenceTask]:
        return {self.key: ReferenceTask(self.key, value_of, self)}

    def __dask_keys__(self) -> list[Key]:
        return [self.key]

    def __dask_postcompute__(self) -> tuple[Callable[[Sequence[Any]], Any], tuple[()]]:
        return operator.itemgetter(0), ()

    def __dask_postpersist__(self) -> tuple[Callable[..., Future], tuple[()]]:
        return lambda *_, **__: self, ()

    def __dask_tokenize__(self) -> tuple[str, Key]:
        return "wukong.Future", self.key

    def __reduce__(self) -> NoReturn:
        raise InvalidGraph(
            f"the future {self.key!r} is inside another object, where it cannot be replaced by its value; pass it as "
            "an argument of its own, or in a list, tuple, set or dict that is one"
        )

    def _outcome(self, timeout: float | None) -> Any:
        try:
            return super().result(timeout)
        except JobCancelled:
            raise
        except concurrent.futures.CancelledError:
            raise self._cancelled() from None

    def _cancelled(self) -> JobCancelled:
        return JobCancelled(f"the future {self.key!r} was cancelled")


def is_large(mark: bytes) -> bool:
    """Whether a mark stands for a value that is left in the cluster. A `Failed` never is that large."""
    return mark.startswith(MANIFEST_TAG)


def read(futures: list[Future]) -> list[Any]:
    """The values of futures, large ones of one job read together. Waits for all of them; raises what `result` does."""
    values = [future._outcome(None) for future in futures]
    remote: dict[Job, list[int]] = {}
    for position, value in enumerate(values):
        if type(value) is Remote:
            remote.setdefault(futures[position]._source(), []).append(position)
    for job, positions in remote.items():
        found = job.values({futures[position]._task for position in positions})
        for position in positions:
            values[position] = found[futures[position]._task]
    return values


def _raised(failed: Failed, key: Key) -> BaseException:
    cause = TaskError(key, failed.attempt, failed.traceback)
    try:
        error = pickle.loads(failed.exception) if failed.exception else None
    except Exception as reason:
        cause.add_note(f"The exception of class {failed.kind} cannot be unpickled here: {reason!r}")
        return cause
    if not isinstance(error, Exception):
        cause.add_note(f"The exception of class {failed.kind} cannot be pickled, so it did not leave the executor.")
        return cause
    error.__cause__ = cause
    return error
