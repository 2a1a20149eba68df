"""The Fleet service: checks what comes over the wire and hands it to `fan_out`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc

from wukong.errors import LimitExceeded
from wukong.mds.job_id import check_job_id
from wukong.rpc.server import Context
from wukong.rpc.v1 import fleet_pb2, fleet_pb2_grpc
from wukong_kvs_proxy.fan_out import FanOuts

#: Pieces of one fan-out. More would keep the metadata store, which takes them in one step, from everybody else.
PIECES = 10_000

#: Bytes of the marks that the pieces need, each counted as often as one needs it: what the metadata store will hold.
INPUT_BYTES = 256 * 1024 * 1024

#: The longest lease and the longest life of a value that are believed, in seconds.
LONGEST_LEASE = 3600.0


class FleetService(fleet_pb2_grpc.FleetServicer):
    """Many executors at once."""

    def __init__(self, fan_outs: FanOuts) -> None:
        self._fan_outs = fan_outs

    async def FanOut(  # noqa: N802
        self, request_iterator: AsyncIterator[fleet_pb2.FanOutRequest], context: Context
    ) -> fleet_pb2.FanOutResponse:
        """Gives many pieces of one record's work away."""
        first = await anext(request_iterator, fleet_pb2.FanOutRequest())
        if first.WhichOneof("part") != "header":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "a fan-out begins with its header")
        header = first.header
        if (reason := check(header)) is not None:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, reason)
        return await self._fan_outs.give(header, request_iterator)


def check(header: fleet_pb2.FanOutHeader) -> str | None:
    """What is wrong with a header; None if nothing is. Pure.

    Raises:
        InvalidGraph: The job's name is none.
        LimitExceeded: It is too much at once.
    """
    check_job_id(header.job_id)
    if len(header.pieces) > PIECES:
        raise LimitExceeded("pieces of one fan-out", len(header.pieces), PIECES, "Give them away in several.")
    sizes = [len(item.mark) for item in header.inputs]
    if any(position >= len(sizes) for piece in header.pieces for position in piece.inputs):
        return f"a piece needs an input beyond the {len(sizes)} of the fan-out"
    total = sum(sizes[position] for piece in header.pieces for position in piece.inputs)
    if total > INPUT_BYTES:
        raise LimitExceeded("bytes of inputs of one fan-out", total, INPUT_BYTES, "Store large values apart.")
    if not (header.record and header.token and header.offload):
        return "a fan-out names the record, its holder's token and the offload; one is missing"
    if not header.pieces or not all(piece.entries for piece in header.pieces):
        return "a fan-out has pieces, and each of them tasks to start from"
    if not 0 < header.lease_seconds <= LONGEST_LEASE:
        return f"a lease of {header.lease_seconds:g} s is not above 0 and up to {LONGEST_LEASE:g} s"
    if header.HasField("value") and not header.value.seconds > 0:
        return "the shared value needs seconds above 0 to live"
    return None
