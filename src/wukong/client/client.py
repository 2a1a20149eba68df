"""`Client`: runs Dask graphs on a cluster, as a Dask scheduler."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import threading
import time
import weakref
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Protocol

import dask
import grpc

from wukong import settings
from wukong.client import failures, results, submission, uploads, watching
from wukong.client.answers import arrange
from wukong.client.connection import Connection
from wukong.client.leases import Leases
from wukong.client.report import Report
from wukong.client.stores import Stores, reach
from wukong.errors import WukongError
from wukong.graph import payload
from wukong.graph.convert import convert
from wukong.graph.dag import Dag
from wukong.graph.modules import register_user_modules
from wukong.rpc.v1 import graph_pb2, job_pb2, scheduler_pb2

#: Seconds that `close` waits for the cluster to confirm what this client no longer needs.
_FAREWELL_SECONDS = 2.0

#: Dask's setting of how partitions exchange rows.
_SHUFFLE = "dataframe.shuffle.method"


class Cluster(Protocol):
    """What a client needs to know of a cluster object such as `LocalCluster`."""

    @property
    def address(self) -> str:
        """host:port of the scheduler."""

    @property
    def token(self) -> str:
        """The bearer token of its calls."""


class Client:
    """Runs Dask graphs on a Wukong cluster.

        with Client(cluster) as client:      # now Dask's default scheduler
            x.sum().compute()
        x.sum().compute(scheduler=client.get)

    Any number of threads may use one client. It ends with the `with` block, with `close`, or when it is
    garbage collected.

    Args:
        address: A `LocalCluster`, "host:port" of a scheduler, or None for the environment variable WUKONG_ADDRESS.
        token: The bearer token; by default the cluster object's, or that of the environment variable WUKONG_TOKEN.
        timeout: Seconds to go on trying while the cluster does not answer.
        by_value: Modules whose functions and classes travel with the graph, since executors cannot import them:
            "auto" for all outside the standard library and site-packages, or a list of names.

    Raises:
        ClusterUnavailable: Nothing answered at the address in time.
        AccessDenied: The token is wrong.
        ValueError: There is no address or token, or it is malformed.
    """

    #: Dask asks before it takes a client for its scheduler.
    asynchronous = False

    def __init__(
        self,
        address: Cluster | str | None = None,
        *,
        token: str | None = None,
        timeout: float = 30.0,
        by_value: str | Iterable[str] = "auto",
    ) -> None:
        where, secret = _locate(address, token)
        self._forward_output = getattr(address, "forward_output", True)
        self._by_value = by_value if isinstance(by_value, str) else tuple(by_value)
        self._connection = Connection(where, secret, timeout)
        self._stores = reach(self._connection.cluster)
        self._lock = threading.Lock()
        self._last: Report | None = None
        self._leases = Leases(self._stores, f"client-{secrets.token_hex(8)}") if self._stores else None
        self._releases: set[grpc.Future[Any]] = set()
        self._defaults: list[Any] = []
        # Runs once: by close(), by the garbage collector, or when the interpreter ends.
        self._finalizer = weakref.finalize(self, _close, self._connection, self._stores, self._leases, self._releases)

    def get(
        self,
        dsk: Any,
        keys: Any,
        *,
        deadline: float | None = None,
        max_parallelism: int | None = None,
        **_dask_keywords: Any,
    ) -> Any:
        """Compute keys of a graph on the cluster: a Dask scheduler.

        Ctrl-C cancels the job and raises KeyboardInterrupt; a second one does not wait for that.

        Args:
            dsk: A Dask graph in any of its forms.
            keys: A key, or a list of keys; lists may be nested.
            deadline: Seconds after which the job fails; by default the cluster's limit.
            max_parallelism: The most executors at once; by default the cluster's limit.
            **_dask_keywords: Keywords that Dask hands to every scheduler are accepted and have no meaning here.

        Returns:
            For a key its value, for a list a tuple, nested as the lists are.

        Raises:
            InvalidGraph: The graph cannot be run as it is; says why.
            TaskError: A task raised what cannot be raised here. Else its own exception is raised, caused by one.
            WukongError: Others of its kind: a lost executor, a passed deadline, a cluster that is gone...
        """
        self._check_open()
        dag = convert(dsk, keys)
        with self._lock:
            register_user_modules(self._by_value)
        payloads = payload.cut(dag)
        job_id = secrets.token_hex(8)
        options = job_pb2.JobOptions(deadline_seconds=deadline, max_parallelism=max_parallelism)
        try:
            inputs = self._upload(dag, job_id, deadline) if dag.inputs else []
            submission.submit(self._connection, job_id, dag, payloads, inputs, options)
            job = watching.watch(self._connection, job_id, dag.keys if self._forward_output else None)
            with self._lock:
                self._last = Report.of(job)
            values = self._values(job, dag)
        except KeyboardInterrupt:
            self._cancel(job_id)
            raise
        finally:
            self._release(job_id)
        return arrange(keys, dag.index, values)

    def compute(self, *collections: Any, **options: Any) -> Any:
        """The values of Dask collections: of one its value, of several a tuple. Options are those of `get`."""
        found = dask.compute(*collections, scheduler=self.get, **options)
        return found[0] if len(collections) == 1 else found

    def persist(self, *collections: Any, **options: Any) -> Any:
        """Dask collections whose values are computed already: of one argument one object, of several a tuple.

        A list or tuple of collections counts as one argument. Dask calls this in `dask.persist(scheduler=client.get)`.
        """
        # Not the method itself: Dask would find the client behind it, and call this.
        found = dask.persist(*collections, scheduler=functools.partial(self.get), **options)
        return found[0] if len(collections) == 1 else found

    def report(self, job: str | None = None) -> Report:
        """What a job did and moved.

        Args:
            job: The id of a job that the cluster still knows; None for the last one that `get` finished.

        Raises:
            UnknownJob: The cluster does not know the job.
            WukongError: No job of this client has finished.
        """
        if job is not None:
            self._check_open()
            reference = job_pb2.JobRef(job_id=job)
            return Report.of(self._connection.call(self._connection.scheduler.GetJob, reference))
        if self._last is None:
            raise WukongError("this client has not finished a job yet, so there is nothing to report")
        return self._last

    def jobs(self) -> list[tuple[str, str]]:
        """Id and state of the jobs that the cluster knows, the newest first."""
        self._check_open()
        answer = self._connection.call(self._connection.scheduler.ListJobs, scheduler_pb2.ListJobsRequest())
        return [
            (job.job_id, job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_").lower()) for job in answer.jobs
        ]

    def info(self) -> dict[str, Any]:
        """What the cluster says about itself: version, parallelism, kvs_nodes, python, and packages with versions."""
        self._check_open()
        cluster = self._connection.call(self._connection.scheduler.GetCluster, scheduler_pb2.GetClusterRequest())
        return {
            "address": self._connection.address,
            "version": cluster.version,
            "parallelism": cluster.parallelism,
            "kvs_nodes": cluster.kvs_nodes,
            "python": cluster.runtime.python,
            "packages": dict(cluster.runtime.packages),
        }

    def close(self) -> None:
        """End the connection to the cluster. May be called again."""
        self._finalizer()

    def __enter__(self) -> Client:
        self._check_open()
        chosen: dict[str, Any] = {"scheduler": self.get}
        if dask.config.get(_SHUFFLE, None) is None:
            # Dask's own choice without a cluster is a directory, which executors do not share.
            chosen[_SHUFFLE] = "tasks"
        self._defaults.append(dask.config.set(chosen))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._defaults.pop().__exit__(kind, error, traceback)
        self.close()

    def __deepcopy__(self, memo: object) -> Client:
        # Dask's settings, which name `get` inside the `with` block, are copied by libraries.
        return self

    def __repr__(self) -> str:
        state = "" if self._finalizer.alive else ", closed"
        return f"<Client of {self._connection.address}{state}>"

    def _check_open(self) -> None:
        if not self._finalizer.alive:
            raise WukongError("this client is closed; make a new one with Client(...)")

    def _upload(self, dag: Dag, job_id: str, deadline: float | None) -> list[graph_pb2.Input]:
        # What an earlier job of this client frees is gone before it is looked for.
        _settle(self._releases)
        carrier: uploads.Carrier
        if self._stores is None or self._leases is None:
            carrier = uploads.ByProxy(self._connection)
        else:
            self._leases.drop_gone()
            seconds = float(settings.DEADLINE_SECONDS.get({})) if deadline is None else deadline
            carrier = uploads.Direct(self._stores, self._leases, seconds)
        return uploads.upload(dag.inputs, job_id, carrier)

    def _values(self, job: job_pb2.Job, dag: Dag) -> dict[int, Any]:
        if job.state != job_pb2.JOB_STATE_DONE:
            raise failures.raised(job, dag.keys)
        return results.read(job, self._connection, self._stores)

    def _cancel(self, job_id: str) -> None:
        request = scheduler_pb2.CancelJobRequest(job_id=job_id, reason="interrupted by the user")
        try:
            self._connection.scheduler.CancelJob(request, timeout=self._connection.timeout)
        except grpc.RpcError:
            # It was not submitted yet, or the scheduler is gone: the interrupt is what the user should see.
            return

    def _release(self, job_id: str) -> None:
        """Let the cluster forget a job, without waiting for its answer."""
        if not self._finalizer.alive:
            return
        future = self._connection.scheduler.ReleaseJob.future(job_pb2.JobRef(job_id=job_id))
        self._releases.add(future)
        future.add_done_callback(self._releases.discard)


def _locate(address: Cluster | str | None, token: str | None) -> tuple[str, str]:
    """host:port and token of the cluster that the user means."""
    if address is None:
        where = os.environ.get(settings.ADDRESS.name, "")
        if not where:
            raise ValueError(
                f"no cluster: pass a LocalCluster or 'host:port', or set {settings.ADDRESS.name} "
                f"({settings.ADDRESS.meaning})"
            )
    elif isinstance(address, str):
        where = address
    else:
        where, token = address.address, address.token if token is None else token
    host, _, port = where.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"the address {where!r} is not of the form host:port")
    secret = os.environ.get(settings.TOKEN.name, "") if token is None else token
    if not secret:
        raise ValueError(f"no token for {where}: pass token=..., or set {settings.TOKEN.name}")
    return where, secret


def _close(
    connection: Connection, stores: Stores | None, leases: Leases | None, releases: set[grpc.Future[Any]]
) -> None:
    if leases is not None:
        leases.close()
    _settle(releases)
    connection.close()
    if stores is not None:
        stores.close()


def _settle(releases: set[grpc.Future[Any]]) -> None:
    """Wait for the answers to what this client no longer needs, but not for long."""
    end = time.monotonic() + _FAREWELL_SECONDS
    for future in list(releases):
        with contextlib.suppress(grpc.RpcError, grpc.FutureTimeoutError, grpc.FutureCancelledError):
            future.result(timeout=max(0.0, end - time.monotonic()))
