"""GetResult: a value from the stores to a client, verified on the way.

The pickle of a stored value is hashed while it is sent, and its last bytes leave only when the hash is the one in
the signed manifest. So a client that has a whole pickle has a verified one, and nothing is read twice, whatever its
size. A stream that resumes in the middle of the pickle reads it from its beginning again, for the hash.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from hashlib import sha256

from wukong.errors import ClusterUnavailable, UnknownJob, ValueRefused, WukongError
from wukong.kvs.redis import RedisKvs
from wukong.mds.store import JobInfo, Mds
from wukong.rpc.limits import CHUNK_BYTES
from wukong.rpc.v1 import data_pb2, value_pb2
from wukong.values.manifest import Manifest
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_kvs_proxy.spans import Spans
from wukong_kvs_proxy.stores import Stores
from wukong_kvs_proxy.work import to_the_end


class Downloads:
    """Gives values.

    Args:
        mds: Has the marks of results.
        stores: Has the values.
        signer: Verifies both.
    """

    def __init__(self, mds: Mds, stores: Stores, signer: Signer) -> None:
        self._mds = mds
        self._stores = stores
        self._signer = signer

    async def get(self, job: str, task: int, offset: int) -> AsyncIterator[data_pb2.ResultChunk]:
        """The value of a target from `offset` on, as the Data service tells it."""
        info, mark, kvs = await to_the_end(self._find, job, task)
        if mark is None:
            raise WukongError(f"task {task} of job {job!r} has no value to give; the job is {info.state}")
        values = Values(kvs, self._signer)
        owner, name = job, str(task)
        match mark[:1]:
            case b"M":
                chunks = _stored(kvs, values.manifest(owner, name, mark), offset)
            case b"P":
                inline = values.split(owner, name, mark)
                chunks = _carried(inline.pickle, inline.buffers, offset)
            case _:
                chunks = _whole(mark)
        async for chunk in chunks:
            yield chunk

    def _find(self, job: str, task: int) -> tuple[JobInfo, bytes | None, RedisKvs]:
        info = self._mds.job(job)
        if info is None:
            raise UnknownJob(job)
        ring = self._mds.ring(info.ring_version)
        if ring is None:
            raise ClusterUnavailable(
                f"the ring {info.ring_version} of job {job!r} is no longer in the metadata store, so its values "
                "cannot be found; submit the job again"
            )
        (mark,) = self._mds.results(job, [task])
        return info, mark, self._stores.of(ring)


async def _whole(mark: bytes) -> AsyncIterator[data_pb2.ResultChunk]:
    yield data_pb2.ResultChunk(mark=mark)


async def _carried(pickle: bytes, buffers: list[bytearray], offset: int) -> AsyncIterator[data_pb2.ResultChunk]:
    data = memoryview(b"".join([pickle, *buffers]))
    yield _head(len(pickle), [len(buffer) for buffer in buffers])
    for start in range(offset, len(data), CHUNK_BYTES):
        yield data_pb2.ResultChunk(data=bytes(data[start : start + CHUNK_BYTES]))


async def _stored(kvs: RedisKvs, manifest: Manifest, offset: int) -> AsyncIterator[data_pb2.ResultChunk]:
    yield _head(manifest.pickle_length, manifest.lengths)
    if manifest.pickle is not None:
        if offset < manifest.pickle_length:
            yield data_pb2.ResultChunk(data=manifest.pickle[offset:])
        async for data in _read(kvs, manifest, max(0, offset - manifest.pickle_length)):
            yield data_pb2.ResultChunk(data=data)
        return
    if offset >= manifest.pickle_length:
        async for data in _read(kvs, manifest, offset):
            yield data_pb2.ResultChunk(data=data)
        return
    skip, left = offset, manifest.pickle_length
    state = sha256()
    async for data in _read(kvs, manifest, 0):
        if left:
            state.update(data[:left])
            left -= min(left, len(data))
            if not left and state.digest() != manifest.digest:
                raise ValueRefused(
                    f"the pickle of the value {manifest.name!r} of {manifest.owner!r} was changed in the KVS"
                )
        if skip < len(data):
            yield data_pb2.ResultChunk(data=data[skip:])
        skip = max(0, skip - len(data))


async def _read(kvs: RedisKvs, manifest: Manifest, offset: int) -> AsyncIterator[bytes]:
    """The bytes of the stream's parts, without padding, from an offset on."""
    spans = Spans(manifest.parts())
    place = manifest.place()
    at = spans.place(offset)
    while at < spans.stream_nbytes:
        window = await to_the_end(kvs.read, *place, at, CHUNK_BYTES)
        yield b"".join(spans.content(window, at))
        at += len(window)


def _head(pickle_length: int, buffer_lengths: Iterable[int]) -> data_pb2.ResultChunk:
    layout = value_pb2.ValueLayout(pickle_length=pickle_length, buffer_lengths=buffer_lengths)
    return data_pb2.ResultChunk(total=pickle_length + sum(layout.buffer_lengths), layout=layout)
