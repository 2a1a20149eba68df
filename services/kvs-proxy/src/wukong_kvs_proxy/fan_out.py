"""FanOut: stores a value as it arrives, creates records in the name of their giver, and has their executors invoked.

In this order, since whoever begins a record reads what it needs at once. All of it can be repeated: the value's keys
and the name of the offload are the giver's. What breaks off is done by the giver itself, so nothing is undone here.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from wukong.errors import ClusterUnavailable, UnknownJob, ValueRefused
from wukong.kvs.store import Kvs
from wukong.mds.records import Record
from wukong.mds.store import Mds, Status
from wukong.rpc.v1 import fleet_pb2
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_kvs_proxy.invocations import Invocations
from wukong_kvs_proxy.stores import Stores
from wukong_kvs_proxy.streams import Streams
from wukong_kvs_proxy.work import to_the_end

_log = logging.getLogger(__name__)

_STATUS = {
    Status.OK: fleet_pb2.HOLDER_STATUS_OK,
    Status.STOP: fleet_pb2.HOLDER_STATUS_STOP,
    Status.GONE: fleet_pb2.HOLDER_STATUS_GONE,
    Status.STALE: fleet_pb2.HOLDER_STATUS_STALE,
}


class FanOuts:
    """Wide fan-outs.

    Args:
        mds: Has the records.
        stores: Have the values.
        signer: Verifies the marks of values.
        invocations: Invoke the executor function.
    """

    def __init__(self, mds: Mds, stores: Stores, signer: Signer, invocations: Invocations) -> None:
        self._mds = mds
        self._stores = stores
        self._signer = signer
        self._invocations = invocations
        self._streams = Streams()

    async def give(
        self, header: fleet_pb2.FanOutHeader, requests: AsyncIterator[fleet_pb2.FanOutRequest]
    ) -> fleet_pb2.FanOutResponse:
        """Carry out what a checked header says; the value's bytes are in `requests`.

        Raises:
            WukongError: Something of it is not done. The giver can do all of it itself.
        """
        await self._invocations.ready()
        if header.HasField("value"):
            # Only the record's holder may write, and its lease shall outlast the stream.
            holds = await to_the_end(
                self._mds.renew,
                header.job_id,
                header.record,
                header.token,
                header.generation,
                header.lease_seconds,
            )
            if holds is not Status.OK:
                return fleet_pb2.FanOutResponse(status=_STATUS[holds])
            kvs = await to_the_end(self._kvs, header.job_id)
            await self._store(kvs, header, requests)
        status, accepted = await to_the_end(
            self._mds.offload,
            header.job_id,
            header.record,
            header.token,
            header.generation,
            header.offload,
            header.lease_seconds,
            records(header),
        )
        names = [f"{header.offload}.{number}" for number in range(accepted)]
        wanted = {name: list(piece.pages) for name, piece in zip(names, header.pieces, strict=False)}
        refused = await self._invocations.start(header.job_id, wanted, header.trace) if wanted else {}
        for refusal in set(map(str, refused.values())):
            _log.warning("executors of job %s were not invoked: %s", header.job_id, refusal)
        left = [number for number, name in enumerate(names) if name in refused]
        return fleet_pb2.FanOutResponse(status=_STATUS[status], accepted=accepted, left=left)

    def _kvs(self, job: str) -> Kvs:
        """The store that the job's values are in."""
        info = self._mds.job(job)
        if info is None:
            raise UnknownJob(job)
        ring = self._mds.ring(info.ring_version)
        if ring is None:
            raise ClusterUnavailable(f"the ring {info.ring_version} of job {job!r} is not in the metadata store")
        return self._stores.of(ring)

    async def _store(
        self, kvs: Kvs, header: fleet_pb2.FanOutHeader, requests: AsyncIterator[fleet_pb2.FanOutRequest]
    ) -> None:
        """Write the shared value; when this returns, it can be read."""
        job, value = header.job_id, header.value
        place = Values(kvs, self._signer).place(job, str(value.task), value.mark)
        if (place.owner, place.token) != (job, header.token):
            raise ValueRefused(f"the mark of the value {value.task} of {job!r} is not that of a value of its holder's")
        writer = kvs.writer(*place, value.seconds)
        async with aclosing(self._streams.take(requests)) as pieces:
            async for request in pieces:
                await to_the_end(writer.write, request.data)
        await to_the_end(writer.close)


def records(header: fleet_pb2.FanOutHeader) -> list[Record]:
    """The pieces as records. The shared value is among the inputs, under the mark that it will have."""
    inputs = [(item.task, item.mark) for item in header.inputs]
    return [
        Record("", list(piece.entries), [inputs[position] for position in piece.inputs], header.depth)
        for piece in header.pieces
    ]
