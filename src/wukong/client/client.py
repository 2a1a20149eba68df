"""`Client`: runs Dask graphs on a cluster, as a Dask scheduler."""

from __future__ import annotations

import functools
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self, Unpack

import dask

from wukong.client import batch, interrupted
from wukong.client.address import Cluster, checker, locate
from wukong.client.connection import Connection
from wukong.client.events import state_name
from wukong.client.future import Future, Share, read
from wukong.client.inputs import bring
from wukong.client.job import Asked, Job
from wukong.client.kept import keep
from wukong.client.kvs_scale import scale
from wukong.client.lanes import Lanes
from wukong.client.options import JobOptions, check, chosen, message
from wukong.client.persistence import persist
from wukong.client.prepared import Prepared
from wukong.client.report import Report
from wukong.client.session import Session
from wukong.client.submission import Submission
from wukong.errors import WukongError
from wukong.graph.dag import Key
from wukong.graph.modules import register_user_modules
from wukong.graph.reference import Reference
from wukong.rpc.v1 import job_pb2, scheduler_pb2

#: Dask's setting of how partitions exchange rows.
_SHUFFLE = "dataframe.shuffle.method"


class Client:
    """Runs Dask graphs on a Wukong cluster.

        with Client(cluster) as client:      # now Dask's default scheduler
            x.sum().compute()
        x.sum().compute(scheduler=client.get)

    Any number of threads may use one client. It ends with the `with` block, with `close`, or when it and
    its jobs are garbage collected. Until then it keeps its `LocalCluster` alive.

    Args:
        address: A `LocalCluster`, "host:port" of a scheduler, or None for the environment variable WUKONG_ADDRESS.
            With TLS where `ca_file` is given, or as "grpcs://host:port" where a well-known authority vouches for it.
        token: The bearer token; by default the cluster object's, or that of the environment variable WUKONG_TOKEN.
        ca_file: File of the certificates (PEM) of the authorities that vouch for the cluster, or these certificates
            themselves, as text; by default what the environment variable WUKONG_TLS_CA says.
        certificate_file: File of this client's own certificate (PEM), for a cluster that demands one; by default the
            one that WUKONG_TLS_CERTIFICATE names.
        key_file: File of its private key (PEM), not encrypted; by default the one that WUKONG_TLS_KEY names.
        timeout: Seconds to go on trying while the cluster does not answer.
        by_value: Modules whose functions and classes travel with the graph, since executors cannot import them:
            "auto" for all outside the standard library and site-packages, or a list of names.
        progress: Whether to show how far a job is while it is waited for; by default on a terminal and in a notebook,
            for jobs past two seconds.

    Raises:
        ClusterUnavailable: Nothing answered at the address in time.
        AccessDenied: The token is wrong; or `TlsFailed`: a certificate has expired, is of another authority or for
            another name, or one side speaks without TLS.
        ValueError: There is no address or token, an argument is malformed, or a file cannot be used.
    """

    #: Dask asks before it takes a client for its scheduler.
    asynchronous = False

    def __init__(
        self,
        address: Cluster | str | None = None,
        *,
        token: str | None = None,
        ca_file: str | None = None,
        certificate_file: str | None = None,
        key_file: str | None = None,
        timeout: float = 30.0,
        by_value: str | Iterable[str] = "auto",
        progress: bool | None = None,
    ) -> None:
        where = locate(address, token, ca_file, certificate_file, key_file)
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not timeout > 0:
            raise ValueError(f"timeout is {timeout!r}; it must be a number of seconds above 0")
        if not isinstance(by_value, Iterable):
            raise ValueError(f"by_value is {by_value!r}; it must be 'auto' or a list of modules' names")
        self._by_value = by_value if isinstance(by_value, str) else tuple(by_value)
        connection = Connection(where.address, where.token, timeout, checker(address), where.tls)
        self._session = Session(connection, getattr(address, "forward_output", True), progress)
        self._connection = connection
        self._lanes = Lanes()
        self._lock = threading.Lock()
        self._defaults: list[Any] = []

    @classmethod
    def from_terraform(
        cls,
        folder: str | os.PathLike[str],
        *,
        timeout: float = 30.0,
        by_value: str | Iterable[str] = "auto",
        progress: bool | None = None,
    ) -> Self:
        """A client of the deployment on AWS that a Terraform root has made.

        Its address and authority come from the root's outputs (`terraform` or `tofu` has to be on the PATH), its token
        from AWS Secrets Manager, with your own credentials.

        Args:
            folder: The root's, such as "terraform/environments/dev".
            timeout: As of a client.
            by_value: As of a client.
            progress: As of a client.

        Raises:
            ValueError: The folder is none of Terraform's.
            ClusterUnavailable: Nothing was applied there, or what was does not answer.
            AccessDenied: Your credentials may not read the token, or there are none.
        """
        from wukong.aws.deployment import Deployment

        there = Deployment.of(folder)
        return cls(
            there.address,
            token=there.token(),
            ca_file=there.ca or None,
            timeout=timeout,
            by_value=by_value,
            progress=progress,
        )

    def get(self, dsk: Any, keys: Any, **keywords: Any) -> Any:
        """Compute keys of a graph on the cluster: a Dask scheduler.

        Ctrl-C cancels the job and raises KeyboardInterrupt; a second one does not wait for that.

        Args:
            dsk: A Dask graph in any of its forms.
            keys: A key, or a list of keys; lists may be nested.
            **keywords: Options of the job (`wukong.client.options.JobOptions`). What else Dask hands to its schedulers
                (`num_workers`, `priority`...) is accepted and has no meaning here.

        Returns:
            For a key its value, for a list a tuple, nested as the lists are.

        Raises:
            TypeError: A keyword is neither.
            InvalidGraph: The graph cannot be run as it is; says why.
            TaskError: A task raised what cannot be raised here. Else its own exception is raised, caused by one.
            WukongError: Others of its kind: a lost executor, a passed deadline, a cluster that is gone...
        """
        job = self.submit_graph(dsk, keys, **chosen(keywords))
        try:
            return job.result()
        except KeyboardInterrupt:
            interrupted.cancel(self._connection, job.id)
            raise
        finally:
            job.release()

    def submit_graph(self, dsk: Any, keys: Any, **options: Unpack[JobOptions]) -> Job:
        """Start to compute keys of a graph, and return as soon as the cluster has accepted it.

        Futures in the graph stand for their values; this waits until they are there.

        Args:
            dsk: A Dask graph in any of its forms.
            keys: A key, or a list of keys; lists may be nested.
            **options: Options of the job (`wukong.client.options.JobOptions`).

        Raises:
            InvalidGraph: The graph cannot be run as it is; says why.
            WukongError: Others of its kind: a graph past a limit, a cluster that is gone...
            Exception: What a future in the graph raised.
        """
        self._session.check_open()
        asked = message(options)
        prepared = self._prepare(dsk, keys)
        prepared.check_size(self._session.has)
        return self._start(prepared, asked)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Call a function on the cluster; returns at once.

        Args:
            function: The function.
            *args: Its arguments. Futures stand for their values, also in lists, tuples, sets and dicts.
            **kwargs: Its keywords, the same.
        """
        return self._call(function, [args], kwargs)[0]

    def map(self, function: Callable[..., Any], /, *iterables: Iterable[Any], **kwargs: Any) -> list[Future]:
        """Call a function on the cluster for each item, or for those at one place of several iterables, as `map` does.

        All calls are one job. It begins when the futures among its arguments are done. Each call has its own
        exception. A future is done about a second after its call, where the client reaches the stores itself; else
        when the whole job is. What ends the whole job (a value that cannot be pickled, a lost executor) ends all calls.

        Args:
            function: The function.
            *iterables: Its arguments. Futures stand for their values.
            **kwargs: Keywords of every call.
        """
        return self._call(function, list(zip(*iterables, strict=False)), kwargs)

    def gather(self, futures: Future | Iterable[Future]) -> Any:
        """The values of futures as a list, once all are there; of a single future its value.

        Raises:
            TypeError: One of them is no future.
            Exception: What the first call that raised has raised.
            WukongError: A job failed, was cancelled, or a value is gone.
        """
        if isinstance(futures, Future):
            return futures.result()
        found = list(futures)
        for future in found:
            if not isinstance(future, Future):
                raise TypeError(
                    f"gather was given {future!r}, which is no future of Client.submit or Client.map; "
                    "Client.compute finds futures and Dask collections at any depth"
                )
        return read(found)

    def job(self, job_id: str) -> Job:
        """A job by its id, also one that another client submitted: to wait for, cancel, read its logs and report.

        Raises:
            UnknownJob: The cluster does not know the job.
        """
        self._session.check_open()
        known = self._session.jobs.get(job_id)
        if known is not None:
            return known
        self._connection.call(self._connection.scheduler.GetJob, job_pb2.JobRef(job_id=job_id))
        return Job(self._session, job_id, None)

    def compute(self, *collections: Any, **options: Any) -> Any:
        """The values of Dask collections: of one its value, of several a tuple.

        Args:
            *collections: Collections, and whatever holds some: lists, tuples, dicts.
            **options: Those of `get` and of `dask.compute`.
        """
        check(options)
        found = dask.compute(*collections, scheduler=self.get, **options)
        return found[0] if len(collections) == 1 else found

    def persist(self, *collections: Any, **options: Any) -> Any:
        """Dask collections whose values are computed once and stay in the cluster.

        Returns as soon as the cluster has accepted the job; what goes wrong in it is raised where the values are used
        first. The values are freed when the last collection that is made of them is gone, or with this client. Dask
        calls this for `x.persist()` inside the `with` block and for `scheduler=client.get`.

        Args:
            *collections: Collections. A list or tuple of collections counts as one argument.
            **options: Options of the job (`wukong.client.options.JobOptions`), and those of `dask.persist`.

        Returns:
            Of one argument one object, of several a tuple.
        """
        check(options)
        # Not a method of this client: Dask would find it, and call this again.
        found = persist(collections, functools.partial(self._keep), options)
        return found[0] if len(collections) == 1 else found

    def report(self, job: str | None = None) -> Report:
        """What a job did and moved.

        Args:
            job: The id of a job that the cluster still knows; None for the last one that this client has seen to end.

        Raises:
            UnknownJob: The cluster does not know the job.
            WukongError: No job of this client has finished.
        """
        if job is not None:
            return self.job(job).report()
        if self._session.last is None:
            raise WukongError("this client has not finished a job yet, so there is nothing to report")
        return self._session.last

    def jobs(self) -> list[tuple[str, str]]:
        """Id and state of the jobs that the cluster knows, the newest first."""
        self._session.check_open()
        answer = self._connection.call(self._connection.scheduler.ListJobs, scheduler_pb2.ListJobsRequest())
        return [(job.job_id, state_name(job.state)) for job in answer.jobs]

    def info(self) -> dict[str, Any]:
        """What the cluster says about itself: version, parallelism, kvs_nodes, and what executors run: python,
        packages with versions, and image_digest, which is empty where there is no image.
        """
        self._session.check_open()
        cluster = self._connection.call(self._connection.scheduler.GetCluster, scheduler_pb2.GetClusterRequest())
        return {
            "address": self._connection.address,
            "version": cluster.version,
            "parallelism": cluster.parallelism,
            "kvs_nodes": cluster.kvs_nodes,
            "python": cluster.runtime.python,
            "packages": dict(cluster.runtime.packages),
            "image_digest": cluster.runtime.image_digest,
        }

    def close(self) -> None:
        """Release this client's jobs and end the connection to the cluster. May be called again."""
        self._session.close()

    def __enter__(self) -> Self:
        self._session.check_open()
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

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client cannot be pickled: it belongs to its process, and tasks cannot start others; elsewhere make "
            "another one, from the cluster's address and token"
        )

    def __copy__(self) -> Client:
        return self

    def __deepcopy__(self, memo: object) -> Client:
        # Dask's settings, which name `get` inside the `with` block, are copied by libraries.
        return self

    def __repr__(self) -> str:
        state = ", closed" if self._session.closed else ""
        return f"<Client of {self._connection.address}{state}>"

    def _prepare(self, dsk: Any, keys: Any) -> Prepared:
        with self._lock:
            register_user_modules(self._by_value)
        return Prepared.of(dsk, keys)

    def _start(self, prepared: Prepared, asked: job_pb2.JobOptions) -> Job:
        job_id = secrets.token_hex(8)
        dag = prepared.dag
        uses = [value for value in dag.inputs.values() if isinstance(value, Reference)]
        deadline = asked.deadline_seconds if asked.HasField("deadline_seconds") else None
        releases = self._session.releases
        releases.hold(job_id)
        try:
            if self._connection.cluster.kvs_most and (dag.inputs or asked.kvs_nodes):
                # Before what is uploaded: there may be no node yet.
                scale(self._connection, asked.kvs_nodes, at_least=True)
            inputs = bring(self._session, dag, job_id, deadline)
            submission = Submission(self._connection, job_id, dag, prepared.payloads, inputs, asked)
            submission.send()
            job = Job(self._session, job_id, Asked(prepared.keys, dag.index, dag.keys), uses, submission.send)
            releases.follow(job, job_id)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                interrupted.cancel(self._connection, job_id)
            releases.release(job_id)
            raise
        self._session.jobs[job_id] = job
        return job

    def _keep(self, dsk: Any, keys: list[Key], **keywords: Any) -> list[Any]:
        options = chosen(keywords)
        graph = dsk if isinstance(dsk, Mapping) else dsk.__dask_graph__()
        # As Dask handed it over: the tasks alone have no annotations any more.
        return keep(graph, keys, lambda new: self.submit_graph(dsk, new, **options))

    def _call(
        self, function: Callable[..., Any], arguments: Sequence[Sequence[Any]], kwargs: Mapping[str, Any]
    ) -> list[Future]:
        self._session.check_open()
        graph = batch.calls(function, arguments, kwargs)
        share = Share(self._session, len(graph))
        futures = [Future(share, key) for key in graph]
        if not futures:
            return futures
        try:
            # Here, not in the background: what `dask.annotate` says is said here, and who called is to be warned.
            prepared = self._prepare(graph, list(graph))
        except Exception as error:
            for future in futures:
                future.fail(error)
            return futures
        prepared.check_size(self._session.has)
        submit = functools.partial(self._start, prepared, job_pb2.JobOptions())
        self._lanes.put(functools.partial(batch.run, futures, share, submit))
        return futures
