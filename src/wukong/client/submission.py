"""Sends a converted graph to the scheduler."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
import warnings
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from wukong.client.connection import Connection
from wukong.errors import ClusterUnavailable
from wukong.graph.dag import Dag, Ids
from wukong.graph.payload import Payload
from wukong.rpc.v1 import cluster_pb2, graph_pb2, job_pb2, scheduler_pb2

#: Seconds that the scheduler may take for one graph or one upload of pages.
SECONDS = 600.0

#: Times that pages are sent again, because the scheduler dropped them before the job that names them came.
_UPLOADS = 3


class Submission:
    """A job that can be submitted any number of times: all that is sent of it.

    Pages travel with the request as long as they are small together. Else only their hashes do, and then those pages
    that the scheduler does not hold already.
    """

    def __init__(
        self,
        connection: Connection,
        job_id: str,
        dag: Dag,
        payloads: Sequence[Payload],
        inputs: Iterable[graph_pb2.Input],
        options: job_pb2.JobOptions,
    ) -> None:
        self._connection = connection
        self._pages = {hashlib.sha256(payload.data).hexdigest(): payload.data for payload in payloads}
        graph = graph_pb2.Graph(
            page_hashes=[hashlib.sha256(payload.data).hexdigest() for payload in payloads],
            first_tasks=[payload.first for payload in payloads],
            dep_offsets=_words(dag.dep_offsets),
            deps=_words(dag.deps),
            targets=_words(dag.targets),
            inputs=inputs,
        )
        if sum(map(len, self._pages.values())) <= connection.cluster.limits.inline_pages_bytes:
            graph.pages.extend(_messages(self._pages, self._pages))
        self._request = scheduler_pb2.SubmitJobRequest(
            job_id=job_id, graph=graph, options=options, client=_runtime(tuple(connection.cluster.runtime.packages))
        )

    def send(self) -> None:
        """Start the job, unless the cluster has it.

        Raises:
            WukongError: The scheduler refuses the graph, or cannot be reached.
        """
        connection = self._connection
        for _ in range(_UPLOADS + 1):
            answer = connection.call(connection.scheduler.SubmitJob, self._request, SECONDS)
            missing = list(answer.missing_pages)
            if not missing:
                for warning in answer.warnings:
                    warnings.warn(warning, RuntimeWarning, stacklevel=2)
                return
            connection.call(
                connection.scheduler.UploadPages, functools.partial(_messages, self._pages, missing), SECONDS
            )
        raise ClusterUnavailable(
            f"the scheduler at {connection.address} lost the graph's pages {_UPLOADS} times before it started the job"
        )


def _words(ids: Ids) -> bytes:
    return np.ascontiguousarray(ids, dtype="<u4").tobytes()


def _messages(pages: dict[str, bytes], hashes: Iterable[str]) -> Iterator[graph_pb2.Page]:
    return (graph_pb2.Page(hash=name, data=pages[name]) for name in hashes)


@functools.cache
def _runtime(packages: tuple[str, ...]) -> cluster_pb2.Runtime:
    """The Python that runs here, with its versions of `packages`."""
    versions = {}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return cluster_pb2.Runtime(python=platform.python_version(), packages=versions)
