"""PutValue beside others who use the same content: what it removes is its own, and what is known stays readable."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from wukong.errors import ClusterUnavailable, ValueRefused
from wukong.kvs.keys import upload_owner
from wukong.rpc.content import content_hash
from wukong.rpc.v1 import data_pb2, value_pb2
from wukong.testing.kvs import MemoryKvs
from wukong.testing.mds import MemoryMds
from wukong.values import codec
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_kvs_proxy.upload import Uploads

VALUE = np.arange(5000.0)
PACKED = codec.pack(VALUE)
HASH = content_hash(PACKED.pickle, PACKED.buffers)
SIGNER = Signer(bytes(32))


class Mds(MemoryMds):
    """A metadata store whose answer to `place_input` waits, or is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.placing, self.answer = threading.Event(), threading.Event()
        self.answer.set()
        self.lost = False

    def place_input(self, content_hash: str, job: str, mark: bytes, owner: str, seconds: float) -> None:
        super().place_input(content_hash, job, mark, owner, seconds)
        self.placing.set()
        assert self.answer.wait(20)
        if self.lost:
            raise ClusterUnavailable("the answer was lost")


@pytest.fixture
def mds() -> Mds:
    return Mds()


@pytest.fixture
def kvs() -> MemoryKvs:
    return MemoryKvs()


@pytest.fixture
def uploads(mds: Mds, kvs: MemoryKvs) -> Uploads:
    return Uploads(mds, lambda: kvs, SIGNER, 60, 120)


def header(job: str) -> data_pb2.PutValueHeader:
    layout = value_pb2.ValueLayout(
        pickle_length=len(PACKED.pickle), buffer_lengths=[len(buffer) for buffer in PACKED.buffers]
    )
    return data_pb2.PutValueHeader(job_id=job, hash=HASH, layout=layout)


async def requests(*, spoilt: bool = False) -> AsyncIterator[data_pb2.PutValueRequest]:
    for part in (PACKED.pickle, *PACKED.buffers):
        data = bytes(part)
        yield data_pb2.PutValueRequest(data=bytes(len(data)) if spoilt else data)


def load(kvs: MemoryKvs, mark: bytes) -> Any:
    return Values(kvs, SIGNER).load("any job", "0", mark)


def test_a_broken_upload_does_not_take_another_one_of_its_content(uploads: Uploads, mds: Mds, kvs: MemoryKvs) -> None:
    marks: list[bytes] = []

    async def broken() -> AsyncIterator[data_pb2.PutValueRequest]:
        # A client that reaches the stores itself uploads the same content meanwhile.
        owner = upload_owner(HASH, "direct")
        marks.append(Values(kvs, SIGNER).store(owner, "value", PACKED, "direct", 60))
        mds.place_input(HASH, "direct", marks[0], owner, 60)
        async for request in requests(spoilt=True):
            yield request

    with pytest.raises(ValueRefused, match="has the hash"):
        asyncio.run(uploads.put(header("one"), broken()))
    np.testing.assert_array_equal(load(kvs, marks[0]), VALUE)
    left = kvs.keys()
    assert left
    assert all(key.startswith(f"w:in:{HASH}:direct:") for key in left)


def test_a_client_that_goes_away_while_its_value_becomes_known_leaves_it_readable(
    uploads: Uploads, mds: Mds, kvs: MemoryKvs
) -> None:
    async def put_and_leave() -> None:
        mds.answer.clear()
        putting = asyncio.create_task(uploads.put(header("one"), requests()))
        await asyncio.to_thread(mds.placing.wait, 20)
        putting.cancel()
        mds.answer.set()
        with pytest.raises(asyncio.CancelledError):
            await putting

    asyncio.run(put_and_leave())
    mark = mds.hold_input(HASH, "two", 60)
    assert mark is not None
    np.testing.assert_array_equal(load(kvs, mark), VALUE)


def test_an_answer_of_the_metadata_store_that_is_lost_leaves_the_value_readable(
    uploads: Uploads, mds: Mds, kvs: MemoryKvs
) -> None:
    mds.lost = True
    with pytest.raises(ClusterUnavailable):
        asyncio.run(uploads.put(header("one"), requests()))
    mark = mds.hold_input(HASH, "two", 60)
    assert mark is not None
    np.testing.assert_array_equal(load(kvs, mark), VALUE)


def test_what_was_uploaded_is_freed_by_the_owner_that_was_told(uploads: Uploads, mds: Mds, kvs: MemoryKvs) -> None:
    ref = asyncio.run(uploads.put(header("one"), requests()))
    again = asyncio.run(uploads.put(header("two"), requests()))
    assert (ref.known, again.known, again.mark) == (False, True, ref.mark)
    assert mds.drop_inputs("one") == []
    (owner,) = mds.drop_inputs("two")
    assert kvs.keys() != []
    kvs.purge(owner)
    assert kvs.keys() == []


def test_what_is_known_and_lost_is_taken_again(uploads: Uploads, mds: Mds, kvs: MemoryKvs) -> None:
    first = asyncio.run(uploads.put(header("one"), requests()))
    for owner in {key.removeprefix("w:").partition(":v:")[0] for key in kvs.keys()}:  # noqa: SIM118
        kvs.purge(owner)
    second = asyncio.run(uploads.put(header("two"), requests()))
    assert not second.known
    assert second.mark != first.mark
    np.testing.assert_array_equal(load(kvs, second.mark), VALUE)
