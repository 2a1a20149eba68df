"""Tells the cluster which jobs nobody needs any more."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import weakref
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


class Releases:
    """The jobs of one client that were not released yet. Any number of threads may use it.

    A job is released when it is said so, when the object that stands for it is gone, or when this is closed. Until then
    the cluster is told now and then that it is needed.

    Args:
        connection: To the cluster.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._held: set[str] = set()
        self._sent: set[grpc.Future[Any]] = set()
        #: Jobs whose objects are gone. The garbage collector may run anywhere, so it only leaves a note here.
        self._notes: queue.SimpleQueue[str | None] = queue.SimpleQueue()
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
            # Waits for a scheduler that is away; nobody waits for this but `settle`.
            request = job_pb2.JobRef(job_id=job_id)
            future = self._connection.scheduler.ReleaseJob.future(
                request, timeout=self._connection.timeout, wait_for_ready=True
            )
            self._sent.add(future)
        future.add_done_callback(self._sent.discard)

    def settle(self) -> None:
        """Wait for the answers to what was released, but not for long."""
        self._connection.aside.call(self._settle)

    def _settle(self) -> None:
        end = time.monotonic() + _FAREWELL_SECONDS
        for future in list(self._sent):
            with contextlib.suppress(grpc.RpcError, grpc.FutureTimeoutError, grpc.FutureCancelledError):
                future.result(timeout=max(0.0, end - time.monotonic()))

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
                job_id = self._notes.get(timeout=max(0.0, last + pause - time.monotonic()))
            except queue.Empty:
                last = time.monotonic()
                self._keep()
                continue
            if job_id is None:
                return
            self.release(job_id)

    def _keep(self) -> None:
        """Say that what is held is still needed. Where that fails, there is time for a second try."""
        with self._lock:
            request = scheduler_pb2.KeepJobsRequest(job_ids=sorted(self._held))
        with contextlib.suppress(grpc.RpcError):
            self._connection.scheduler.KeepJobs(request, timeout=self._connection.timeout)
