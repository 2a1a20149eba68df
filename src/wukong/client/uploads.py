"""Uploads the large values that are embedded in a graph, each under the hash of its content.

A value that the cluster holds already is not sent again. Values go straight to the stores where those can be reached,
else as a stream to the proxy.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from wukong.client.connection import Connection
from wukong.client.leases import Leases
from wukong.client.stores import Stores
from wukong.errors import WukongError
from wukong.kvs.keys import upload_owner
from wukong.rpc.content import content_hash
from wukong.rpc.limits import CHUNK_BYTES
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import data_pb2, graph_pb2, value_pb2
from wukong.values import codec
from wukong.values.codec import Packed

#: Values sent at once. Hashing and sending free the interpreter lock.
_THREADS = 4

#: The name of an uploaded value, which its owner has only one of.
_NAME = "value"


class Carrier(Protocol):
    """A way to bring one value to the cluster."""

    def send(self, job_id: str, value: object, content: str, packed: Packed) -> value_pb2.ValueRef:
        """Upload a value, packed, with this content hash unless it is known, and hold it for a job."""


class Direct:
    """Writes values to the stores.

    Args:
        stores: The stores.
        leases: Keeps what is uploaded for jobs to come.
        seconds: How long the job may take.
    """

    def __init__(self, stores: Stores, leases: Leases, seconds: float) -> None:
        self._stores = stores
        self._leases = leases
        self._seconds = seconds

    def send(self, job_id: str, value: object, content: str, packed: Packed) -> value_pb2.ValueRef:
        """See `Carrier`."""
        ref = self._send(job_id, content, packed)
        self._leases.keep(value, content, self._seconds)
        return ref

    def _send(self, job_id: str, content: str, packed: Packed) -> value_pb2.ValueRef:
        mds, values = self._stores.mds, self._stores.values
        mark = mds.hold_input(content, job_id, self._seconds)
        if mark is not None:
            if values.there(job_id, _NAME, mark):
                return value_pb2.ValueRef(hash=content, mark=mark, known=True)
            mds.lose_input(content, mark)
        # Twice as long as this job needs it: a job that comes later can hold it for its own whole time.
        seconds = 2 * self._seconds
        token = secrets.token_hex(8)
        owner = upload_owner(content, token)
        try:
            mark = values.store(owner, _NAME, packed, token, seconds)
        except BaseException:
            # Nobody knows of these bytes, and the stores may be full.
            with contextlib.suppress(WukongError):
                values.kvs.purge(owner)
            raise
        mds.place_input(content, job_id, mark, owner, seconds)
        return value_pb2.ValueRef(hash=content, mark=mark)


class ByProxy:
    """Streams values to the proxy."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def send(self, job_id: str, value: object, content: str, packed: Packed) -> value_pb2.ValueRef:
        """See `Carrier`."""
        layout = value_pb2.ValueLayout(
            pickle_length=len(packed.pickle), buffer_lengths=[len(buffer) for buffer in packed.buffers]
        )
        header = data_pb2.PutValueHeader(job_id=job_id, hash=content, layout=layout)

        def requests() -> Iterator[data_pb2.PutValueRequest]:
            yield data_pb2.PutValueRequest(header=header)
            for part in (packed.pickle, *packed.buffers):
                for start in range(0, len(part), CHUNK_BYTES):
                    yield data_pb2.PutValueRequest(data=bytes(part[start : start + CHUNK_BYTES]))

        def attempt() -> value_pb2.ValueRef:
            # The answer may come before all is sent: then the cluster knows the value, and gRPC stops asking for more.
            with wukong_errors(self._connection.data_address):
                return self._connection.data.PutValue(requests())

        return self._connection.repeat(attempt)


def upload(inputs: Mapping[int, object], job_id: str, carrier: Carrier) -> list[graph_pb2.Input]:
    """Upload values, several at once.

    Args:
        inputs: The values, by the task that each stands for.
        job_id: The job that will use them.
        carrier: The way they go.
    """

    def one(task: int, value: object) -> graph_pb2.Input:
        packed = codec.pack(value)
        content = content_hash(packed.pickle, packed.buffers)
        return graph_pb2.Input(task=task, ref=carrier.send(job_id, value, content, packed))

    if len(inputs) <= 1:
        return [one(*item) for item in inputs.items()]
    with ThreadPoolExecutor(min(_THREADS, len(inputs)), thread_name_prefix="wukong-upload") as threads:
        return list(threads.map(one, inputs.keys(), inputs.values()))
