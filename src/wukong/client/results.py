"""Reads the values of a job that is done."""

from __future__ import annotations

from typing import Any

from wukong.client.connection import Connection
from wukong.client.stores import Stores
from wukong.errors import ClusterUnavailable
from wukong.kvs.store import ValueMissing
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import data_pb2, job_pb2
from wukong.values.mark import JSON_TAG, load_json
from wukong.values.receiver import Receiver
from wukong.values.scalar import load_scalar


def read(job: job_pb2.Job, connection: Connection, stores: Stores | None) -> dict[int, Any]:
    """The value of each target of a job that is done.

    Args:
        job: The job, with its results.
        connection: To the cluster.
        stores: The stores, where this client can reach them.

    Raises:
        WukongError: A value is gone, is refused, or cannot be reached.
    """
    tasks = [result.task for result in job.results]
    marks = [result.mark for result in job.results]
    if stores is not None:
        try:
            # The scheduler leaves out what is large together.
            absent = [position for position, found in enumerate(marks) if not found]
            for position, found in zip(absent, stores.mds.results(job.job_id, [tasks[i] for i in absent]), strict=True):
                marks[position] = found or b""
            if all(marks):
                items = [(job.job_id, str(task), found) for task, found in zip(tasks, marks, strict=True)]
                return dict(zip(tasks, _load(stores, items), strict=True))
        except (ValueMissing, ClusterUnavailable):
            # The job may be on an older ring than the newest, or nodes away. The proxy knows its ring, and is asked
            # again and again.
            pass
    return {task: _fetch(job.job_id, task, connection) for task in tasks}


def _load(stores: Stores, items: list[tuple[str, str, bytes]]) -> list[Any]:
    try:
        return stores.values.load_many(items)
    except ValueMissing:
        if not stores.follow():
            raise
        return stores.values.load_many(items)


def _fetch(job_id: str, task: int, connection: Connection) -> Any:
    """One value by way of the proxy, through streams that each go on where the last one broke."""
    mark = b""
    receiver: Receiver | None = None

    def receive() -> None:
        nonlocal mark, receiver
        offset = receiver.received if receiver is not None else 0
        request = data_pb2.GetResultRequest(job_id=job_id, task=task, offset=offset)
        with wukong_errors(connection.data_address):
            for chunk in connection.data.GetResult(request):
                if chunk.HasField("mark"):
                    mark = chunk.mark
                    return
                if receiver is None:
                    receiver = Receiver(chunk.layout.pickle_length, chunk.layout.buffer_lengths)
                receiver.write(chunk.data)

    connection.repeat(receive)
    if receiver is not None:
        return receiver.value()
    return load_json(mark) if mark[:1] == JSON_TAG else load_scalar(mark)
