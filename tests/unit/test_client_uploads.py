"""Uploads straight to the stores, when others use the same content at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest

from wukong.client.leases import Leases
from wukong.client.stores import Stores
from wukong.client.uploads import Direct
from wukong.errors import StoreFull
from wukong.kvs.striping import STRIPE
from wukong.kvs.writer import Writer
from wukong.mds.redis import RedisMds
from wukong.rpc.content import content_hash
from wukong.testing.kvs import MemoryKvs
from wukong.testing.mds import MemoryMds
from wukong.values import codec
from wukong.values.codec import Packed
from wukong.values.signing import Signer
from wukong.values.values import Values

VALUE = np.arange(1000.0)


class Kvs(MemoryKvs):
    """A key-value store that lets something happen just before a purge, and that may be full after some stripes."""

    def __init__(self) -> None:
        super().__init__()
        self.before_purge: Callable[[], object] = lambda: None
        self.room = 1000

    def purge(self, owner: str) -> int:
        self.before_purge()
        return super().purge(owner)

    def writer(self, owner: str, name: str, token: str, nbytes: int, seconds: float) -> Writer:
        memory = super().writer(owner, name, token, nbytes, seconds)

        def store(number: int, pieces: list[memoryview]) -> None:
            if not self.room:
                raise StoreFull("a", "here", name, nbytes, 90, 100)
            self.room -= 1
            memory._store(number, pieces)

        return Writer(name, nbytes, STRIPE, store)


@pytest.fixture
def kvs() -> Kvs:
    return Kvs()


@pytest.fixture
def stores(kvs: Kvs) -> Stores:
    return Stores(
        cast("RedisMds", MemoryMds()), Values(kvs, Signer(bytes(32))), 1, lambda ring: Values(kvs, Signer(bytes(32)))
    )


def send(stores: Stores, job: str, value: object) -> bytes:
    """Upload a value for a job and return its mark."""
    packed: Packed = codec.pack(value)
    content = content_hash(packed.pickle, packed.buffers)
    return Direct(stores, Leases(stores, "client"), 60).send(job, value, content, packed).mark


def load(stores: Stores, job: str, mark: bytes) -> Any:
    return stores.values.load(job, "0", mark)


def test_a_purge_does_not_take_what_was_uploaded_again_before_it(stores: Stores, kvs: Kvs) -> None:
    value = VALUE.copy()
    leases = Leases(stores, "first")
    packed = codec.pack(value)
    content = content_hash(packed.pickle, packed.buffers)
    Direct(stores, leases, 60).send("one", value, content, packed)
    stores.mds.drop_inputs("one")
    marks: list[bytes] = []
    kvs.before_purge = lambda: marks.append(send(stores, "two", VALUE))
    leases.close()
    (mark,) = marks
    np.testing.assert_array_equal(load(stores, "two", mark), VALUE)
    kvs.before_purge = lambda: None
    for owner in [*stores.mds.drop_inputs("two"), *stores.mds.drop_inputs("client-0")]:
        kvs.purge(owner)
    assert kvs.keys() == []


def test_two_uploads_of_one_content_at_once_are_both_freed(stores: Stores, kvs: Kvs) -> None:
    class Slow(MemoryMds):
        """Tells both jobs that the input is unknown."""

        def hold_input(self, content_hash: str, job: str, seconds: float) -> bytes | None:
            return None if job in ("one", "two") else super().hold_input(content_hash, job, seconds)

    mds, found = Slow(), list[str]()
    stores = Stores(cast("RedisMds", mds), stores.values, 1, lambda ring: stores.values)
    marks = {job: send(stores, job, VALUE) for job in ("one", "two")}
    for job, mark in marks.items():
        np.testing.assert_array_equal(load(stores, job, mark), VALUE)
    for holder in ("one", "two", "client-0"):
        for owner in mds.drop_inputs(holder):
            found.append(owner)
            kvs.purge(owner)
    assert len(found) == 2
    assert kvs.keys() == []


def test_an_upload_that_found_no_room_leaves_nothing(stores: Stores, kvs: Kvs) -> None:
    value = np.ones(STRIPE // 8 + 1000)
    kvs.room = 1
    with pytest.raises(StoreFull):
        send(stores, "one", value)
    assert kvs.keys() == []
    kvs.room = 1000
    np.testing.assert_array_equal(load(stores, "one", send(stores, "one", value)), value)


def test_what_is_known_and_lost_is_sent_again(stores: Stores, kvs: Kvs) -> None:
    first = send(stores, "one", VALUE)
    assert send(stores, "two", VALUE) == first
    for owner in {key.removeprefix("w:").partition(":v:")[0] for key in kvs.keys()}:  # noqa: SIM118
        kvs.purge(owner)
    second = send(stores, "three", VALUE)
    assert second != first
    np.testing.assert_array_equal(load(stores, "three", second), VALUE)
    assert send(stores, "four", VALUE) == second
