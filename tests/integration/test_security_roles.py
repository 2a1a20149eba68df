"""What the users of the stores may not do, on real servers under a real cluster. What they must be able to do, every
other test of a cluster shows, since they all run under these users.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from wukong import Client, LocalCluster
from wukong.cluster.roles import Role
from wukong.redis import Connection, ReplyError

JOB, TASKS = "roles", 40

#: Commands that none of the parts needs, and that could do harm or tell too much.
FORBIDDEN = [
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "maxmemory", "1"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "default", "on", "nopass", "+@all", "~*"),
    ("MONITOR",),
    ("SCRIPT", "FLUSH"),
    ("CLIENT", "LIST"),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("FUNCTION", "LIST"),
    ("SUBSCRIBE", "w:roles:e"),
    ("RENAME", "w:ring", "w:gone"),
]

#: Role, and what it may not do with a key in the metadata store.
OUT_OF_REACH = {
    Role.EXECUTOR: [
        ("SET", "w:ring", "{}"),
        ("GET", "w:up:00"),
        ("HGETALL", "w:in:00"),
        ("ZRANGE", "w:jobs", "0", "-1"),
        ("HGET", "w:roles:first", "0"),
        ("UNLINK", "w:roles:p:0"),
        ("GET", "w:roles:t"),
        ("EVAL", "return redis.call('HSET', 'w:in:00', 'mark', 'x')", "0"),
        ("EVAL", "return redis.call('UNLINK', 'w:roles:p:0')", "0"),
        ("PUBLISH", "elsewhere", "x"),
    ],
    Role.SCHEDULER: [
        ("SET", "w:ring", "{}"),
        ("GET", "elsewhere"),
        ("PSUBSCRIBE", "*"),
        ("EVAL", "return redis.call('SET', 'w:ring', '{}')", "0"),
    ],
    Role.PROXY: [
        ("SET", "w:roles:p:0", "x"),
        ("GET", "w:roles:p:0"),
        ("HSET", "w:roles:s", "0", "x"),
        ("GET", "w:roles:t"),
        ("GET", "w:up:00"),
        ("PUBLISH", "w:roles:e", "x"),
        ("EVAL", "return redis.call('HSET', 'w:roles:s', '0', 'x')", "0"),
    ],
    Role.NODE: [("GET", "w:ring"), ("HGETALL", "w:roles:m"), ("EVAL", "return 1", "0"), ("SET", "w:x", "y")],
    Role.CLIENT: [
        ("SET", "w:roles:p:0", "x"),
        ("GET", "w:roles:p:0"),
        ("HGETALL", "w:roles:m"),
        ("HSET", "w:roles:s", "0", "x"),
        ("HGET", "w:roles:r:0", "holder"),
        ("SET", "w:ring", "{}"),
        ("EVAL", "return redis.call('HSET', 'w:roles:m', 'state', 'done')", "0"),
    ],
}

#: The same in a KVS node, where V is the key of a value.
VALUES_OUT_OF_REACH = {
    Role.EXECUTOR: [("GET", "elsewhere"), ("SET", "elsewhere", "x"), ("EVAL", "return 1", "0")],
    Role.SCHEDULER: [("GET", "V"), ("GETRANGE", "V", "0", "1"), ("SET", "V", "x"), ("EVAL", "return 1", "0")],
    Role.PROXY: [("GET", "elsewhere"), ("UNLINK", "elsewhere"), ("EVAL", "return 1", "0")],
    Role.NODE: [("GET", "V"), ("SET", "V", "x"), ("UNLINK", "elsewhere"), ("EVAL", "return 1", "0")],
    Role.CLIENT: [("SET", "V", "x"), ("UNLINK", "V"), ("SADD", "w:roles:k", "x"), ("GET", "elsewhere")],
}
ROLES = list(OUT_OF_REACH)


@pytest.fixture(scope="module")
def stores(cluster: LocalCluster) -> Iterator[tuple[str, str, str]]:
    """Addresses of the metadata store and of the KVS node of a cluster that has done a job, and the key of a value."""
    with Client(cluster) as client:
        job = client.submit_graph({"x": (np.arange, 100_000)}, "x")
        job.wait()
        direct = client._connection.cluster.direct
        (node,) = direct.ring.nodes
        user, password = cluster.administrator
        with contextlib.closing(Connection(node.address, user=user, password=password)) as redis:
            found = redis.call("KEYS", f"w:{job.id}:v:*")
            assert isinstance(found, list)
            (key,) = [name.decode() for name in found if isinstance(name, bytes)]
        yield direct.mds_address, node.address, key
        job.release()


@contextlib.contextmanager
def connected(cluster: LocalCluster, address: str, role: Role) -> Iterator[Connection]:
    password = cluster._supervisor._plan.store_passwords[role]
    with contextlib.closing(Connection(address, user=role, password=password)) as redis:
        yield redis


def refused(redis: Connection, *command: str) -> None:
    with pytest.raises(ReplyError) as caught:
        redis.call(*command)
    words = str(caught.value)
    assert caught.value.code == "NOPERM" or "permission" in words or "No permissions" in words, words


@pytest.mark.parametrize("role", ROLES)
def test_what_no_part_needs_is_refused(cluster: LocalCluster, stores: tuple[str, str, str], role: Role) -> None:
    for address in stores[:2]:
        with connected(cluster, address, role) as redis:
            assert redis.call("PING") == b"PONG"
            for command in FORBIDDEN:
                with pytest.raises(ReplyError, match=f"does not let the user '{role}' do this") as caught:
                    redis.call(*command)
                assert caught.value.code == "NOPERM", command


@pytest.mark.parametrize("role", ROLES)
def test_a_role_reaches_only_its_own_keys(cluster: LocalCluster, stores: tuple[str, str, str], role: Role) -> None:
    mds, node, value = stores
    with connected(cluster, mds, role) as redis:
        for command in OUT_OF_REACH[role]:
            refused(redis, *command)
        refused(redis, "GET", "elsewhere")
    with connected(cluster, node, role) as redis:
        for command in VALUES_OUT_OF_REACH[role]:
            refused(redis, *(value if word == "V" else word for word in command))
        refused(redis, "SET", "elsewhere", "x")


def test_what_was_refused_has_changed_nothing(cluster: LocalCluster, stores: tuple[str, str, str]) -> None:
    mds, node, value = stores
    user, password = cluster.administrator
    with contextlib.closing(Connection(mds, user=user, password=password)) as redis:
        assert redis.call("EXISTS", "w:ring") == 1
        assert redis.call("EXISTS", "w:gone", "elsewhere", "w:in:00", "w:x") == 0
    with contextlib.closing(Connection(node, user=user, password=password)) as redis:
        assert redis.call("EXISTS", value) == 1
        assert redis.call("EXISTS", "elsewhere") == 0


def test_nobody_comes_in_without_a_name_or_with_the_password_of_another(
    cluster: LocalCluster, stores: tuple[str, str, str]
) -> None:
    passwords = cluster._supervisor._plan.store_passwords
    tries = [("", ""), ("", passwords[Role.ADMINISTRATOR]), (Role.EXECUTOR, passwords[Role.CLIENT])]
    for address in stores[:2]:
        for user, password in [*tries, (Role.ADMINISTRATOR, passwords[Role.EXECUTOR]), ("root", "")]:
            with contextlib.closing(Connection(address, user=user, password=password)) as redis:
                with pytest.raises(ReplyError) as caught:
                    redis.call("PING")
                assert caught.value.code in ("NOAUTH", "WRONGPASS")


def test_clients_are_told_their_own_user_only(cluster: LocalCluster) -> None:
    passwords = cluster._supervisor._plan.store_passwords
    with Client(cluster) as client:
        answer = client._connection.cluster
    assert (answer.direct.store_user, answer.direct.store_password) == (Role.CLIENT, passwords[Role.CLIENT])
    assert (answer.direct.kvs.user, answer.direct.kvs.password) == (Role.CLIENT, passwords[Role.CLIENT])
    told = answer.SerializeToString()
    assert [role for role in Role if passwords[role].encode() in told] == [Role.CLIENT]
