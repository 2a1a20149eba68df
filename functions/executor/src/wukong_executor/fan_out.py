"""The wide fan-out: one request to the KVS proxy instead of one invocation for each piece.

The only module of the executor that speaks gRPC. It is imported when the first such fan-out happens: never in a zygote,
which has to stay without threads, and never by the many executors that give little away. The connection ends with the
call, since an environment is frozen between invocations and would find it dead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wukong import settings
from wukong.mds.records import Record
from wukong.mds.store import Status
from wukong.rpc.channel import channel
from wukong.rpc.limits import CHUNK_BYTES
from wukong.rpc.status import wukong_errors
from wukong.rpc.tls import CallerTls
from wukong.rpc.v1 import fleet_pb2, fleet_pb2_grpc

#: What a proxy at its slowest does in a second; a call that takes longer is given up, before the lease runs out.
BYTES_PER_SECOND = 20_000_000
PIECES_PER_SECOND = 500

_STATUS = {
    fleet_pb2.HOLDER_STATUS_OK: Status.OK,
    fleet_pb2.HOLDER_STATUS_STOP: Status.STOP,
    fleet_pb2.HOLDER_STATUS_GONE: Status.GONE,
    fleet_pb2.HOLDER_STATUS_STALE: Status.STALE,
}


@dataclass(frozen=True, slots=True)
class Shared:
    """A value that the pieces need and that nobody has stored: its mark, stream, and seconds until it may vanish."""

    task: int
    mark: bytes
    stream: Sequence[memoryview]
    seconds: float


@dataclass(frozen=True, slots=True)
class Wide:
    """What is given away. The first fields are the arguments of `Mds.offload`; `pages` are those of each piece."""

    job: str
    record: str
    token: str
    generation: int
    offload: str
    lease: float
    pieces: Sequence[Record]
    pages: Sequence[Sequence[int]]
    shared: Shared | None


def through_proxy(
    address: str, token: str, wide: Wide, told: Mapping[str, str] = os.environ
) -> tuple[Status, int, Sequence[int]]:
    """Ask the proxy at `address` to do it.

    Args:
        address: host:port of the proxy.
        token: The cluster's.
        wide: What is given away.
        told: The function's settings; whom to trust is among them.

    Returns:
        The status and how many pieces were accepted, as `Mds.offload`; and the numbers of those whose executors
        could not be invoked.

    Raises:
        WukongError: It was not done, or only in part, or nobody knows. Doing it directly does no harm.
    """
    nbytes = sum(map(len, wide.shared.stream)) if wide.shared else 0
    timeout = wide.lease / 2 + nbytes / BYTES_PER_SECOND + len(wide.pieces) / PIECES_PER_SECOND
    with channel(address, token, CallerTls.read(told)) as connection, wukong_errors(address):
        answer = fleet_pb2_grpc.FleetStub(connection).FanOut(requests(wide), timeout=timeout)
    return _STATUS[answer.status], answer.accepted, list(answer.left)


def requests(wide: Wide) -> Iterator[fleet_pb2.FanOutRequest]:
    """What is sent: the header, with each input once, and the shared value."""
    header = fleet_pb2.FanOutHeader(
        job_id=wide.job,
        record=wide.record,
        token=wide.token,
        generation=wide.generation,
        offload=wide.offload,
        depth=max(piece.depth for piece in wide.pieces),
        lease_seconds=wide.lease,
        trace=settings.TRACE.get(),
    )
    positions: dict[tuple[int, bytes], int] = {}
    for piece, pages in zip(wide.pieces, wide.pages, strict=True):
        needed = [positions.setdefault(item, len(positions)) for item in piece.inputs]
        header.pieces.add(entries=piece.entries, inputs=needed, pages=pages)
    for task, mark in positions:
        header.inputs.add(task=task, mark=mark)
    if wide.shared is not None:
        shared = wide.shared
        header.value.CopyFrom(fleet_pb2.SharedValue(task=shared.task, mark=shared.mark, seconds=shared.seconds))
    yield fleet_pb2.FanOutRequest(header=header)
    if wide.shared is not None:
        for data in _chunks(wide.shared.stream):
            yield fleet_pb2.FanOutRequest(data=data)


def _chunks(stream: Sequence[memoryview]) -> Iterator[bytes]:
    """The stream in messages of one size, however small its parts are."""
    held: list[memoryview] = []
    room = CHUNK_BYTES
    for part in stream:
        rest = part
        while rest:
            held.append(rest[:room])
            room -= len(held[-1])
            rest = rest[len(held[-1]) :]
            if not room:
                yield b"".join(held)
                held, room = [], CHUNK_BYTES
    if held:
        yield b"".join(held)
