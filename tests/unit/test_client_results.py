from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from wukong.client.connection import Connection
from wukong.client.results import Read, read
from wukong.client.stores import Stores
from wukong.errors import ClusterUnavailable, ResultMissing, ValueRefused
from wukong.rpc.v1 import data_pb2, job_pb2, value_pb2
from wukong.values import codec

CHUNK = 1000


class Proxy:
    """Serves one value; its streams break after some chunks."""

    def __init__(self, value: object, breaks: int = 0, short: int = 0) -> None:
        packed = codec.pack(value)
        self._scalar = packed.scalar
        self._layout = value_pb2.ValueLayout(
            pickle_length=len(packed.pickle), buffer_lengths=[len(buffer) for buffer in packed.buffers]
        )
        content = b"".join([packed.pickle, *packed.buffers])
        self._content = content[: len(content) - short]
        self._breaks = breaks
        self.offsets: list[int] = []
        self.data = self
        self.data_address = "proxy:1"

    def GetResult(self, request: data_pb2.GetResultRequest) -> Iterator[data_pb2.ResultChunk]:
        assert (request.job_id, request.task) == ("j", 4)
        self.offsets.append(request.offset)
        if self._scalar is not None:
            yield data_pb2.ResultChunk(mark=self._scalar)
            return
        for start in range(request.offset, len(self._content), CHUNK):
            chunk = data_pb2.ResultChunk(total=len(self._content), data=self._content[start : start + CHUNK])
            if start == request.offset:
                chunk.layout.CopyFrom(self._layout)
            yield chunk
            if self._breaks:
                self._breaks -= 1
                raise ClusterUnavailable("broken")

    def repeat(self, attempt: Any) -> Any:
        while True:
            try:
                return attempt()
            except ClusterUnavailable:
                continue


RESULT = [job_pb2.Result(task=4)]


def fetch(proxy: Proxy) -> Any:
    return read("j", RESULT, cast("Connection", proxy), None).values[4]


def test_a_value_comes_from_the_proxy_where_the_stores_cannot_be_reached() -> None:
    value = {"a": np.arange(5000.0), "b": [None, "text"], "c": np.ones((3, 700))}
    found = fetch(Proxy(value))
    np.testing.assert_equal(found, value)
    found["a"][0] = 7
    assert found["a"].flags.aligned


def test_a_broken_stream_goes_on_where_it_broke() -> None:
    proxy = Proxy(np.arange(1000.0), breaks=3)
    np.testing.assert_array_equal(fetch(proxy), np.arange(1000.0))
    assert proxy.offsets == [0, 1000, 2000, 3000]


@pytest.mark.parametrize("value", [None, True, 12, 1.5, "text", b"bytes"])
def test_scalars_need_no_stream_of_bytes(value: object) -> None:
    assert fetch(Proxy(value)) == value


class Stream:
    """What gRPC gives for a download."""

    def __init__(self, chunks: Iterator[data_pb2.ResultChunk]) -> None:
        self._chunks = chunks
        self.cancelled = False

    def __iter__(self) -> Iterator[data_pb2.ResultChunk]:
        return self._chunks

    def cancel(self) -> None:
        self.cancelled = True


def test_a_value_that_was_computed_again_meanwhile_is_read_from_its_start() -> None:
    first, second = Proxy(np.arange(1000.0), breaks=2), Proxy(np.arange(1000.0) + 1)
    streams: list[Stream] = []

    def get(request: data_pb2.GetResultRequest) -> Stream:
        former = len(streams) < 1

        def chunks() -> Iterator[data_pb2.ResultChunk]:
            for chunk in (first if former else second).GetResult(request):
                if chunk.HasField("layout"):
                    chunk.mark_hash = "former" if former else "newer"
                yield chunk

        streams.append(Stream(chunks()))
        return streams[-1]

    proxy = Proxy(None)
    proxy.data = SimpleNamespace(GetResult=get)  # type: ignore[assignment]
    np.testing.assert_array_equal(fetch(proxy), np.arange(1000.0) + 1)
    assert [stream.cancelled for stream in streams] == [False, True, False]


def test_what_is_missing_is_told_beside_what_is_there() -> None:
    missing = ResultMissing("j", 5, "ab" * 32)

    class Half(Proxy):
        def GetResult(self, request: data_pb2.GetResultRequest) -> Iterator[data_pb2.ResultChunk]:
            if request.task == 5:
                raise missing
            return super().GetResult(request)

    asked = [job_pb2.Result(task=5), *RESULT]
    assert read("j", asked, cast("Connection", Half(12)), None) == Read({4: 12}, [missing])


def test_a_value_that_ends_early_is_refused() -> None:
    with pytest.raises(ValueRefused):
        fetch(Proxy(np.arange(1000.0), short=8))


@pytest.mark.parametrize(
    ("mark", "value"), [(b"P12", "j 4 P12"), (b"I12", 12), (b"Ix", "j 4 Ix"), (b"F1", "j 4 F1"), (b"?", "j 4 ?")]
)
def test_marks_that_the_job_leaves_out_are_read_from_the_metadata_store(mark: bytes, value: object) -> None:
    """What no scalar can be read from goes where it is verified, or refused."""

    class Mds:
        def results(self, name: str, tasks: list[int]) -> list[bytes]:
            assert (name, tasks) == ("j", [4])
            return [mark]

    class Values:
        def load_many(self, items: list[tuple[str, str, bytes]]) -> list[object]:
            return [f"{owner} {name} {mark.decode()}" for owner, name, mark in items]

    stores = Stores(cast("Any", Mds()), cast("Any", Values()), 1, cast("Any", None))
    assert read("j", RESULT, cast("Connection", None), stores) == Read({4: value})
