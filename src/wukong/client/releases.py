"""Tells the cluster which jobs nobody needs any more."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import weakref
from dataclasses import dataclass
from typing import Any

import grpc

from wukong.client.connection import Connection
from wukong.rpc.v1 import job_pb2, scheduler_pb2

#: Seconds that `close` and `settle` wait for the cluster to confirm.
_FAREWELL_SECONDS = 2.0

#: Times that the cluster hears of a job in the time after which it would take it for forgotten.
_KEEPING = 3

#: Seconds between two such calls at least.
_SHORTEST = 0.05


#: Seconds before a release that nobody answered is sent again.
_AGAIN = 0.05

#: Seconds between looks for what is there in no time.
_MOMENT = 0.001


@dataclass(frozen=True, slots=True)
class _Again:
    """A note that the release of a job is to be sent again."""

    job_id: str


class Releases:
    """The jobs of one client that were not released yet. Any number of threads may use it.

    A job is released when it is said so, when the object that stands for it is gone, or when this is closed. Until then
    the cluster is told now and then that it is needed. A release that finds no cluster, or one whose stores are away,
    is sent again until the connection's timeout is over.

    Args:
        connection: To the cluster.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._sent: set[grpc.Future[Any]] = set()
        #: Jobs whose release nobody answered -> until when it is sent again, on the monotonic clock.
        self._unanswered: dict[str, float] = {}
        #: Jobs whose objects are gone. The garbage collector may run anywhere, so it only leaves a note here.
        self._notes: queue.SimpleQueue[str | _Again | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def hold(self, job_id: str) -> None:
        """Remember to release a job, before it is submitted."""
        with self._lock:
            self._held.add(job_id)

    def follow(self, job: object, job_id: str) -> None:
        """Release a job that is held when `job` is gone."""
        weakref.finalize(job, self._notes.put, job_id).atexit = False
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._read_notes, name="wukong-releases", daemon=True)
                thread.start()
                self._thread = thread  # whoever sees it may join it

    def release(self, job_id: str, *, held_only: bool = True) -> None:
        """Let the cluster forget a job, without waiting for its answer. A second time has no effect.

        Args:
            job_id: The job.
            held_only: Whether to leave alone what this client does not hold.
        """
        self._connection.aside.call(lambda: self._release(job_id, held_only))

    def _release(self, job_id: str, held_only: bool) -> None:
        with self._lock:
            if held_only and job_id not in self._held:
                return
            self._held.discard(job_id)
            self._unanswered[job_id] = time.monotonic() + self._connection.timeout
        self._send(job_id)

    def _send(self, job_id: str) -> None:
        with self._lock:
            if (end := self._unanswered.pop(job_id, None)) is None:
                return  # another thread has sent it
            # Waits for a scheduler that is away; nobody waits for this but `settle`.
            future = self._connection.scheduler.ReleaseJob.future(
                job_pb2.JobRef(job_id=job_id), timeout=max(0.0, end - time.monotonic()), wait_for_ready=True
            )
            self._sent.add(future)
        future.add_done_callback(lambda done: self._answered(job_id, end, done))

    def _answered(self, job_id: str, end: float, done: Any) -> None:
        if done.code() is grpc.StatusCode.UNAVAILABLE and time.monotonic() + _AGAIN < end:
            with self._lock:
                self._unanswered[job_id] = end
            self._notes.put(_Again(job_id))
        self._sent.discard(done)

    def settle(self) -> None:
        """Wait for the answers to what was released, but not for long."""
        self._connection.aside.call(self._settle)

    def _settle(self) -> None:
        end = time.monotonic() + _FAREWELL_SECONDS
        while time.monotonic() < end:
            for future in list(self._sent):
                with contextlib.suppress(grpc.RpcError, grpc.FutureTimeoutError, grpc.FutureCancelledError):
                    future.result(timeout=max(0.0, end - time.monotonic()))
            with self._lock:
                again = list(self._unanswered)
            if again:
                time.sleep(_AGAIN)
                for job_id in again:
                    self._send(job_id)
            elif self._sent:
                time.sleep(_MOMENT)  # what was answered is about to be noted
            else:
                return

    def close(self) -> None:
        """Release everything, before the connection is closed."""
        self._notes.put(None)
        with self._lock:
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FAREWELL_SECONDS)
        for job_id in list(self._held):
            self.release(job_id)
        self.settle()

    def _read_notes(self) -> None:
        pause = max(_SHORTEST, self._connection.cluster.keep_seconds / _KEEPING)
        last = time.monotonic()
        while True:
            try:
                note = self._notes.get(timeout=max(0.0, last + pause - time.monotonic()))
            except queue.Empty:
                last = time.monotonic()
                self._keep()
                continue
            if note is None:
                return
            if isinstance(note, _Again):
                time.sleep(_AGAIN)
                self._send(note.job_id)
            else:
                self.release(note)

    def _keep(self) -> None:
        """Say that what is held is still needed. Where that fails, there is time for a second try."""
        with self._lock:
            request = scheduler_pb2.KeepJobsRequest(job_ids=sorted(self._held))
        with contextlib.suppress(grpc.RpcError):
            self._connection.scheduler.KeepJobs(request, timeout=self._connection.timeout)
