"""Reads the values of a job that is done, as far as they are there."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wukong.client.connection import Connection
from wukong.client.stores import Stores
from wukong.errors import ClusterUnavailable, ResultMissing
from wukong.kvs.store import ValueMissing
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import data_pb2, job_pb2
from wukong.values.mark import JSON_TAG, load_json
from wukong.values.receiver import Receiver
from wukong.values.scalar import load_scalar


@dataclass(frozen=True, slots=True)
class Read:
    """What was read.

    Attributes:
        values: By task, the values that are there.
        missing: Why each of the others is not.
    """

    values: dict[int, Any]
    missing: Sequence[ResultMissing] = ()


def read(job_id: str, asked: Sequence[job_pb2.Result], connection: Connection, stores: Stores | None) -> Read:
    """The values of targets of a job that is done.

    Args:
        job_id: The job.
        asked: The targets, with their marks as far as these are known.
        connection: To the cluster.
        stores: The stores, where this client can reach them.

    Raises:
        WukongError: A value is refused, or cannot be reached.
    """
    tasks = [result.task for result in asked]
    marks = [result.mark for result in asked]
    if stores is not None:
        try:
            # The scheduler leaves out what is large together.
            absent = [position for position, found in enumerate(marks) if not found]
            for position, found in zip(absent, stores.mds.results(job_id, [tasks[i] for i in absent]), strict=True):
                marks[position] = found or b""
            if all(marks):
                return Read(_load(stores, job_id, zip(tasks, marks, strict=True)))
        except (ValueMissing, ClusterUnavailable):
            # The job may be on an older ring than the newest, or nodes away. The proxy knows its ring, and is asked
            # again and again.
            pass
    values: dict[int, Any] = {}
    missing: list[ResultMissing] = []
    for task in tasks:
        try:
            values[task] = _fetch(job_id, task, connection)
        except ResultMissing as error:
            missing.append(error)
    return Read(values, missing)


def _load(stores: Stores, job_id: str, marks: Iterable[tuple[int, bytes]]) -> dict[int, Any]:
    values: dict[int, Any] = {}
    others: list[int] = []
    items: list[tuple[str, str, bytes]] = []
    for task, mark in marks:
        try:  # there may be a million of them, and most are scalars then
            values[task] = load_scalar(mark)
        except (KeyError, ValueError, IndexError, struct.error):  # it is none, or none that can be read: see below
            others.append(task)
            items.append((job_id, str(task), mark))
    if items:
        values.update(zip(others, _load_others(stores, items), strict=True))
    return values


def _load_others(stores: Stores, items: list[tuple[str, str, bytes]]) -> list[Any]:
    try:
        return stores.values.load_many(items)
    except ValueMissing:
        if not stores.follow():
            raise
        return stores.values.load_many(items)


def _fetch(job_id: str, task: int, connection: Connection) -> Any:
    """One value by way of the proxy, through streams that each go on where the last one broke.

    A value that was lost meanwhile may be there again, as another one with other bytes: that is read from its start.
    """
    mark, known = b"", ""
    receiver: Receiver | None = None

    def receive() -> bool:
        nonlocal mark, known, receiver
        offset = receiver.received if receiver is not None else 0
        request = data_pb2.GetResultRequest(job_id=job_id, task=task, offset=offset)
        with wukong_errors(connection.data_address):
            stream = connection.data.GetResult(request)
            for chunk in stream:
                if chunk.HasField("mark"):
                    mark, receiver = chunk.mark, None
                    return True
                if chunk.HasField("layout") and chunk.mark_hash != known:
                    receiver, known = None, chunk.mark_hash
                    if offset:
                        stream.cancel()
                        return False
                if receiver is None:
                    receiver = Receiver(chunk.layout.pickle_length, chunk.layout.buffer_lengths)
                receiver.write(chunk.data)
        return True

    while not connection.repeat(receive):
        pass
    if receiver is not None:
        return receiver.value()
    return load_json(mark) if mark[:1] == JSON_TAG else load_scalar(mark)
