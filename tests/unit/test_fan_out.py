"""The wide fan-out's pure parts: what the executor sends is what the proxy makes records of."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import numpy as np
import pytest

from wukong.errors import ClusterUnavailable, InvalidGraph, LimitExceeded, ValueRefused
from wukong.mds.records import Record
from wukong.rpc.v1 import fleet_pb2
from wukong.testing.kvs import MemoryKvs
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_executor.fan_out import Shared, Wide, requests
from wukong_kvs_proxy import fleet
from wukong_kvs_proxy.fan_out import records
from wukong_kvs_proxy.streams import Streams

SIGNER = Signer(bytes(32))


def wide(pieces: list[Record], shared: Shared | None = None) -> Wide:
    return Wide("job-1", "0", "holder", 0, "holder-1", 30.0, pieces, [[i] for i in range(len(pieces))], shared)


def header_of(of: Wide) -> fleet_pb2.FanOutHeader:
    (first, *_) = requests(of)
    # As it comes over the wire.
    return fleet_pb2.FanOutRequest.FromString(first.SerializeToString()).header


def test_the_proxy_makes_the_records_that_were_given_away() -> None:
    pieces = [Record("", [i, i + 7], [(1, b"one"), (100 + i, b"own")], depth=3) for i in range(50)]
    header = header_of(wide(pieces))
    assert records(header) == pieces
    assert len(header.inputs) == 51  # each once
    assert [list(piece.pages) for piece in header.pieces] == [[i] for i in range(50)]
    assert fleet.check(header) is None


def test_what_follows_the_header_is_the_stream_that_the_mark_announces() -> None:
    value = {"array": np.arange(500_000.0), "text": "x" * 9000}
    kvs = MemoryKvs()
    values = Values(kvs, SIGNER)
    mark, stream = values.announce("job-1", "7", values.pack(value), "holder")
    piece = Record("", [8], [(7, mark)], depth=1)
    _, *data = requests(wide([piece], Shared(7, mark, stream, 60.0)))
    assert len(data) == 4  # 4 MB in chunks of 1 MiB
    place = values.place("job-1", "7", mark)
    writer = kvs.writer(*place, 60.0)
    for request in data:
        writer.write(request.data)
    writer.close()
    found = values.load("job-1", "7", mark)
    assert isinstance(found, dict)
    np.testing.assert_array_equal(found["array"], value["array"])
    assert found["text"] == value["text"]
    assert mark == values.store("job-1", "7", values.pack(value), "holder", 60.0)


def test_a_mark_that_is_no_manifest_or_anothers_has_no_place() -> None:
    values = Values(MemoryKvs(), SIGNER)
    packed = values.pack(np.arange(5000.0))
    mark, _ = values.announce("job-1", "7", packed, "holder")
    for owner, name, of in [("job-1", "8", mark), ("job-2", "7", mark), ("job-1", "7", mark[:-1] + b"?")]:
        with pytest.raises(ValueRefused):
            values.place(owner, name, of)
    with pytest.raises(ValueRefused, match="does not say where"):
        values.place("job-1", "7", values.inline("job-1", "7", values.pack([1, 2])))


def spoil(change: Callable[[fleet_pb2.FanOutHeader], object]) -> fleet_pb2.FanOutHeader:
    header = header_of(wide([Record("", [1], [(0, b"mark")], depth=1)]))
    change(header)
    return header


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda header: header.pieces[0].inputs.append(1), "beyond the 1"),
        (lambda header: header.ClearField("pieces"), "has pieces"),
        (lambda header: header.pieces.add(), "tasks to start from"),
        (lambda header: header.ClearField("token"), "one is missing"),
        (lambda header: setattr(header, "lease_seconds", 0), "lease of 0 s"),
        (lambda header: setattr(header, "lease_seconds", float("nan")), "lease of nan s"),
        (lambda header: header.value.CopyFrom(fleet_pb2.SharedValue(task=1)), "seconds above 0"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(
    change: Callable[[fleet_pb2.FanOutHeader], object], reason: str
) -> None:
    assert reason in str(fleet.check(spoil(change)))


def test_limits_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidGraph):
        fleet.check(spoil(lambda header: setattr(header, "job_id", "a:b")))
    monkeypatch.setattr(fleet, "PIECES", 2)
    with pytest.raises(LimitExceeded, match="pieces of one fan-out"):
        fleet.check(header_of(wide([Record("", [i], [], depth=1) for i in range(3)])))
    monkeypatch.setattr(fleet, "INPUT_BYTES", 15)
    with pytest.raises(LimitExceeded, match="bytes of inputs"):
        fleet.check(header_of(wide([Record("", [i], [(0, b"8 bytes!")], depth=1) for i in range(2)])))


async def sender(chunks: int, under_way: list[int]) -> AsyncIterator[bytes]:
    under_way[0] += 1
    under_way[1] = max(under_way)
    for number in range(chunks):
        yield bytes([number])
        await asyncio.sleep(0)
    under_way[0] -= 1


def test_only_so_many_values_are_on_their_way_and_all_arrive() -> None:
    under_way = [0, 0]

    async def all_of_them() -> list[list[bytes]]:
        streams = Streams(at_once=3)

        async def one() -> list[bytes]:
            return [chunk async for chunk in streams.take(sender(4, under_way))]

        return await asyncio.gather(*(one() for _ in range(10)))

    assert asyncio.run(all_of_them()) == [[b"\0", b"\1", b"\2", b"\3"]] * 10
    assert under_way == [0, 3]


def test_a_sender_that_falls_silent_gives_its_turn_up() -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def both() -> list[bytes]:
        streams = Streams(at_once=1, silence=0.01)
        with pytest.raises(ClusterUnavailable, match=r"nothing came for 0\.01 s"):
            async for _ in streams.take(silent()):
                pass
        return [chunk async for chunk in streams.take(sender(1, [0, 0]))]

    assert asyncio.run(both()) == [b"\0"]


def test_a_value_that_cannot_be_taken_gives_its_turn_up() -> None:
    async def both() -> list[bytes]:
        streams = Streams(at_once=1)
        async with aclosing(streams.take(sender(2, [0, 0]))) as chunks:
            async for _ in chunks:
                break
        return [chunk async for chunk in streams.take(sender(1, [0, 0]))]

    assert asyncio.run(both()) == [b"\0"]


def test_no_grpc_comes_with_the_executor_or_the_invoker() -> None:
    program = (
        "import sys, wukong_executor.handler, wukong_executor.executor\n"
        "assert 'wukong_executor.fan_out' not in sys.modules\n"
        "heavy = {'grpc', 'google.protobuf'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    program = (
        "import sys, wukong_invoker.handler\n"
        "heavy = {'grpc', 'numpy', 'dask', 'cloudpickle', 'boto3'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
