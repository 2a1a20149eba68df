"""`Job`: one submitted graph, as its user holds it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from wukong.client import failures, results, watching
from wukong.client.answers import arrange
from wukong.client.display import display
from wukong.client.events import Event, event, state_name
from wukong.client.report import Report
from wukong.client.session import Session
from wukong.errors import ResultMissing, WukongError
from wukong.graph.dag import Key
from wukong.graph.name import name
from wukong.rpc.v1 import event_pb2, job_pb2, scheduler_pb2

#: How often results that are lost are computed again, each time that they are read.
_RESTORED = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """What only the one who submitted a graph knows of its job.

    Attributes:
        keys: The keys that were asked for, as they were asked for.
        index: The task of each of them.
        tasks: The Dask key of every task.
    """

    keys: Any
    index: Mapping[Key, int]
    tasks: Sequence[Key]


class Job:
    """A graph that was submitted: made by `Client.submit_graph`, or by `Client.job` from an id.

    What the cluster stores of a job that was submitted here is removed when this object is gone, when `release` is
    called, or when the client is closed; a job that still runs then is cancelled. Any number of threads may use it.

    Attributes:
        id: The job's id, unique in its cluster.
        session: The client's use of its cluster.
    """

    def __init__(
        self,
        session: Session,
        job_id: str,
        asked: Asked | None,
        uses: Sequence[object] = (),
        submit: Callable[[], None] | None = None,
    ) -> None:
        """A job of a client's session.

        Args:
            session: The client's.
            job_id: The job.
            asked: What was asked for; None for a job that was submitted elsewhere.
            uses: What is kept alive until the end is seen: the futures whose values are its inputs.
            submit: Submits it again, should the cluster's metadata store forget it before the end is seen.
        """
        self.id = job_id
        self.session = session
        self._asked = asked
        self._submit = submit
        self._watching = threading.Lock()
        self._seen = ""
        self._ended: job_pb2.Job | None = None
        self._released = False
        self._uses: Sequence[object] = uses
        self._progressed: Callable[[], None] | None = None

    @property
    def state(self) -> str:
        """loading, running, done, failed, cancelled, or gone once it is released."""
        if self._released:
            return "gone"
        return state_name((self._ended or self._get()).state)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the job, whatever it is, for at most `timeout` seconds; returns whether it has ended.

        What tasks print meanwhile is printed here too, each line once.

        Raises:
            WukongError: The job is unknown or was released, or the cluster is gone.
        """
        try:
            self._end(timeout)
        except TimeoutError:
            return False
        return True

    def result(self, timeout: float | None = None) -> Any:
        """The values of the keys that were asked for, once they are there: for a key its value, for a list a tuple.

        They are read from the cluster, every time anew. What is lost there by then is computed again, for which the job
        runs again; five times at most.

        Args:
            timeout: The most seconds to wait.

        Raises:
            TimeoutError: The job has not ended in time. It goes on.
            JobCancelled: It was cancelled.
            TaskError: A task raised what cannot be raised here. Else its own exception is raised, caused by one.
            ResultMissing: A value was lost each time that it was computed.
            WukongError: Others of its kind. Also for a job that was submitted elsewhere: from its id alone nobody
                knows which values belong to which keys.
        """
        return self.session.connection.aside.call(lambda: self._result(timeout))

    def _result(self, timeout: float | None) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        job = self.finished(timeout)
        if self._asked is None:
            raise WukongError(
                f"job {self.id} is done, but it was not submitted by this client, and its id alone does not tell which "
                "keys were asked for. Its result is read with the Job that submit_graph returned; from an id there "
                "are state, wait, cancel, events, logs, report and release"
            )
        values = self._values(job.results, end)
        return arrange(self._asked.keys, self._asked.index, values)

    def values(self, tasks: Iterable[int]) -> dict[int, Any]:
        """The values of some of the targets, which have been there. Errors are those of `result`."""
        asked = [job_pb2.Result(task=task) for task in tasks]
        return self.session.connection.aside.call(lambda: self._values(asked, None))

    def _values(self, asked: Sequence[job_pb2.Result], end: float | None) -> dict[int, Any]:
        """Read values; what is lost is computed again, and read when the job is done again."""
        connection, stores = self.session.connection, self.session.stores
        values: dict[int, Any] = {}
        for attempt in range(_RESTORED + 1):
            found = results.read(self.id, asked, connection, stores)
            values |= found.values
            if not found.missing:
                break
            if attempt == _RESTORED:
                raise found.missing[0]
            # Others may miss the same, and have said so: then there are none to restore, but to wait for.
            if lost := [error for error in found.missing if error.mark_hash]:
                connection.call(connection.scheduler.RestoreResults, _restore(self.id, lost))
            self._ended = None
            self.finished(None if end is None else max(0.0, end - time.monotonic()))
            asked = [job_pb2.Result(task=error.task) for error in found.missing]
        return values

    def cancel(self, reason: str = "") -> None:
        """Stop the job; tasks that run are interrupted. A job that has ended stays as it is.

        Args:
            reason: Why, for whoever reads the error.

        Raises:
            WukongError: The job is unknown, or the cluster is gone.
        """
        self._check()
        request = scheduler_pb2.CancelJobRequest(job_id=self.id, reason=reason)
        self.session.connection.call(self.session.connection.scheduler.CancelJob, request)

    def events(self) -> Iterator[Event]:
        """What happened to the job from its beginning on, and what happens until it has ended.

        See `wukong.client.events` for the kinds of events.

        Raises:
            WukongError: The job is unknown or was released, or the cluster is gone.
        """
        self._check()
        for message in self._messages():
            yield event(message, self._keys)

    def logs(self, task: Key | None = None) -> str:
        """What tasks have printed so far, in the order in which it arrived, as far as the cluster keeps it.

        Args:
            task: The key of a task: only what that one printed. None for all, with the key before each line.

        Raises:
            WukongError: The job is unknown or was released, or the cluster is gone.
        """
        self._check()
        found: list[str] = []
        for message in self._messages():
            if message.HasField("log"):
                key = self._key(message.log)
                if task is None:
                    found.append(watching.marked(message.log.text, key))
                elif key == task or (not self._keys and key == name(task)):
                    found.append(message.log.text)
            elif message.HasField("progress"):
                break  # comes behind all that has happened
        return "".join(found)

    def report(self) -> Report:
        """What the job did and moved, so far or in all.

        Raises:
            WukongError: The job is unknown or was released before its end was seen here, or the cluster is gone.
        """
        return Report.of(self._ended or self._get())

    def release(self) -> None:
        """Let the cluster forget the job and remove its values; it is cancelled if it still runs. Harmless twice."""
        if self._released or self.session.closed:
            return
        self._released = True
        self._uses = ()
        self.session.releases.release(self.id, held_only=self._asked is not None)

    def finished(self, timeout: float | None = None) -> job_pb2.Job:
        """Wait until all values are there; what the cluster says of the job then. Errors are those of `result`."""
        job = self._end(timeout)
        if job.state != job_pb2.JOB_STATE_DONE:
            raise failures.raised(job, self._keys)
        return job

    def on_progress(self, call: Callable[[], None]) -> None:
        """Have `call` called, by whoever waits for the job, when tasks have run, until the job has ended."""
        self._progressed = call

    def tasks(self) -> Mapping[Key, int]:
        """The task of each key that was asked for; none for a job that was submitted elsewhere."""
        return self._asked.index if self._asked else {}

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"a Job cannot be pickled: it belongs to its client; elsewhere use client.job({self.id!r})")

    def __repr__(self) -> str:
        ended = self._ended
        state = "released" if self._released else state_name(ended.state) if ended else "not seen to end"
        return f"<Job {self.id}, {state}>"

    @property
    def _keys(self) -> Sequence[Key]:
        return self._asked.tasks if self._asked else ()

    def _key(self, log: event_pb2.LogLines) -> Key:
        return self._keys[log.task] if log.task < len(self._keys) else log.key

    def _messages(self) -> Iterator[event_pb2.JobEvent]:
        """What happened from the beginning on."""
        connection = self.session.connection
        return connection.aside.each(watching.watch(connection, self.id))

    def _check(self) -> None:
        self.session.check_open()
        if self._released:
            raise WukongError(f"job {self.id} was released, and the cluster forgot it")

    def _get(self) -> job_pb2.Job:
        self._check()
        return watching.look(self.session.connection, self.id, self._submit)

    def _end(self, timeout: float | None) -> job_pb2.Job:
        """The job after its end. One thread watches it, others wait for that one."""
        self._check()
        if (ended := self._ended) is not None:
            return ended
        end = None if timeout is None else time.monotonic() + timeout
        if not self._watching.acquire(timeout=-1 if timeout is None else max(0.0, timeout)):
            raise TimeoutError(f"job {self.id} has not ended yet")
        try:
            if (ended := self._ended) is None:
                self._ended = ended = self.session.connection.aside.call(lambda: self._watch(end))
                self._uses = ()
                self._submit = self._progressed = None
                if self._asked is not None:
                    self.session.last = Report.of(ended)
            return ended
        finally:
            self._watching.release()

    def _watch(self, end: float | None) -> job_pb2.Job:
        shown = self.session.forward_output and self._asked is not None
        job = job_pb2.Job()
        with display(self.session.progress) as progress:
            for message in watching.watch(self.session.connection, self.id, self._seen, end, self._submit):
                self._seen = message.sequence or self._seen
                progress.see(message)
                if shown and message.HasField("log"):
                    watching.show(message.log, self._key(message.log))
                if message.HasField("progress") and self._progressed is not None:
                    self._progressed()
                job = message.state.job
        return job


def _restore(job_id: str, lost: Iterable[ResultMissing]) -> scheduler_pb2.RestoreResultsRequest:
    missing = [scheduler_pb2.MissingResult(task=error.task, mark_hash=error.mark_hash) for error in lost]
    return scheduler_pb2.RestoreResultsRequest(job_id=job_id, results=missing)
