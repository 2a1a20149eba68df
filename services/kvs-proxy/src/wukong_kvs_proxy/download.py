"""GetResult: a value from the stores to a client, verified on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator

from wukong.errors import ClusterUnavailable, ResultMissing, UnknownJob, WukongError
from wukong.kvs.store import ValueMissing
from wukong.mds.store import Mds
from wukong.rpc.limits import CHUNK_BYTES
from wukong.rpc.v1 import data_pb2, value_pb2
from wukong.values.download import Download
from wukong.values.mark import MANIFEST_TAG, PICKLE_TAG, mark_hash
from wukong.values.signing import Signer
from wukong.values.values import Values
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
        mark, found = await to_the_end(self._find, job, task)
        if found is None:
            yield data_pb2.ResultChunk(mark=mark)
            return
        known = mark_hash(mark)
        layout = value_pb2.ValueLayout(pickle_length=found.pickle_length, buffer_lengths=found.lengths)
        yield data_pb2.ResultChunk(total=found.total, layout=layout, mark_hash=known)
        try:
            while data := await to_the_end(found.read, offset, CHUNK_BYTES):
                yield data_pb2.ResultChunk(data=data)
                offset += len(data)
        except ValueMissing as error:
            raise ResultMissing(job, task, known) from error

    def _find(self, job: str, task: int) -> tuple[bytes, Download | None]:
        """The mark of a target, and what to read; nothing where the mark is the value."""
        info = self._mds.job(job)
        if info is None:
            raise UnknownJob(job)
        (mark,) = self._mds.results(job, [task])
        if mark is None and info.state == "running":
            raise ResultMissing(job, task, "")
        if mark is None:
            raise WukongError(f"task {task} of job {job!r} has no value to give; the job is {info.state}")
        if not mark.startswith((MANIFEST_TAG, PICKLE_TAG)):
            return mark, None
        ring = self._mds.ring(info.ring_version)
        if ring is None:
            raise ClusterUnavailable(
                f"the ring {info.ring_version} of job {job!r} is no longer in the metadata store, so its values "
                "cannot be found; submit the job again"
            )
        try:
            return mark, Values(self._stores.of(ring), self._signer).download(job, str(task), mark)
        except ValueMissing as error:
            raise ResultMissing(job, task, mark_hash(mark)) from error
