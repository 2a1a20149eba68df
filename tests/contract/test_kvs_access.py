"""Stores that share nodes with others, and stripes of other lengths than usual."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from wukong.kvs.access import Access
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.kvs.store import ValueMissing
from wukong.kvs.striping import Striping
from wukong.redis import Connection

MIB = 1 << 20
MINUTE = 60.0


@pytest.fixture
def store(valkey_addresses: list[str], valkey_password: str) -> Iterator[Callable[..., RedisKvs]]:
    opened: list[RedisKvs] = []
    ring = Ring(1, tuple(Node(address, address) for address in valkey_addresses))

    def of(namespace: str = "", striping: Striping = Striping()) -> RedisKvs:  # noqa: B008
        opened.append(Access(valkey_password, namespace, striping).store(ring))
        return opened[-1]

    yield of
    for kvs in opened:
        kvs.close()


@pytest.fixture
def found(valkey_addresses: list[str], valkey_password: str) -> Callable[[str], list[bytes]]:
    """The keys in both servers that match a pattern."""

    def keys(pattern: str) -> list[bytes]:
        names: list[bytes] = []
        for address in valkey_addresses:
            connection = Connection(address, password=valkey_password)
            names += cast("list[bytes]", connection.call("KEYS", pattern))
            connection.close()
        return names

    return keys


def test_namespaces_are_apart(store: Callable[..., RedisKvs], found: Callable[[str], list[bytes]]) -> None:
    ours, theirs = store("5f1c02aa:"), store()
    for kvs, data in ((ours, b"ours"), (theirs, b"theirs")):
        kvs.put("job", "x", "t", [data], MINUTE)
    assert ours.get("job", "x", "t", 4) == b"ours"
    assert theirs.read("job", "x", "t", 6, 1, 3) == b"hei"
    assert sorted(found("*:v:*")) == [b"w:5f1c02aa:job:v:x:t:0", b"w:job:v:x:t:0"]
    assert ours.purge("job") == 1
    assert found("w:5f1c02aa:*") == []
    with pytest.raises(ValueMissing):
        ours.get("job", "x", "t", 4)
    assert theirs.get("job", "x", "t", 6) == b"theirs"


@pytest.mark.parametrize(
    ("striping", "stripes"),
    [
        (Striping(), 1),
        (Striping(5 * MIB), 3),
        (Striping(2 * MIB, 3), 3),
        (Striping(20 * MIB, 3), 1),
        (Striping(2 * MIB, 100), 12),  # none is shorter than 1 MiB
        (Striping(512 * MIB), 1),
    ],
    ids=str,
)
def test_values_are_cut_as_the_cluster_says(
    store: Callable[..., RedisKvs], found: Callable[[str], list[bytes]], striping: Striping, stripes: int
) -> None:
    kvs = store("", striping)
    data = os.urandom(12 * MIB - 5)
    kvs.put("job", "x", "t", [data[:1000], data[1000:]], MINUTE)
    assert len(found("*:v:*")) == stripes
    assert kvs.get("job", "x", "t", len(data)) == data
    for start in (0, 2 * MIB - 1, 4 * MIB - 3, 5 * MIB - 1, 12 * MIB - 10):
        assert kvs.read("job", "x", "t", len(data), start, 3 * MIB) == data[start : start + 3 * MIB]
    assert kvs.purge("job") == stripes
