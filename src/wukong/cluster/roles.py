"""Who may do what in the stores: one user for each role, with the commands and keys that its work takes. Pure.

A server of Redis or Valkey knows these users by lines of its configuration (`users`). Scripts run with the rights of
who calls them, so the commands that they use are among those of their callers. What stands in the stores is told by
`wukong.mds.keys` and `wukong.kvs.keys`; what each part asks them for, by the parts. Both are compared with the rights
below in tests/unit/test_cluster_roles.py, and every test of a whole cluster runs under them.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass


class Role(enum.StrEnum):
    """A user of the stores; the value is its name there."""

    EXECUTOR = "executor"
    SCHEDULER = "scheduler"
    PROXY = "proxy"
    #: A KVS node's agent. In the metadata store it may only ask whether that answers.
    NODE = "node"
    #: Clients that reach the stores themselves.
    CLIENT = "client"
    #: Whoever starts the servers: may do everything, and is none of the parts.
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a role may do in one kind of store.

    Attributes:
        commands: Names of commands.
        keys: Patterns of keys that it may read and write.
        reads: Patterns of keys that it may only read.
        writes: Patterns of keys that it may only write, which is also to remove them or to let them live longer.
        channels: Patterns of channels that it may publish on and listen to.
    """

    commands: frozenset[str]
    keys: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


#: Every connection may ask whether it is answered, and by whom.
_GREETING = "ping info"
_SCRIPT = f"{_GREETING} evalsha eval"

#: A job's keys that its executors change: fan-ins, owners, meta, records, look, values, sinks, events, healed, slowest.
#: The server tries patterns in this order, so what scripts use most comes first.
_RUNNING = ("w:*:f:*", "w:*:o:*", "w:*:m", "w:*:r:*", "w:*:look", "w:*:v", "w:*:s", "w:*:e", "w:*:h", "w:*:slow")
#: Its other keys: pages, first records, deaths, targets, held inputs.
_KEPT = ("w:*:p:*", "w:*:first", "w:*:d", "w:*:t", "w:*:i")
_UPLOADS, _HELD = "w:in:*", "w:*:i"
_RING = ("w:ring", "w:ring:*")
_EVENTS = ("w:*:e",)


def _commands(*names: str) -> frozenset[str]:
    return frozenset(" ".join(names).split())


_MDS = {
    Role.EXECUTOR: Rights(
        _commands(
            _SCRIPT,
            "get mget exists expireat publish time unlink",
            "hdel hexists hget hgetall hincrby hkeys hlen hmget hset hsetnx hvals",
            "xadd zadd zcard zrange zrem zremrangebyrank zrevrange",
        ),
        keys=_RUNNING,
        reads=("w:*:p:*", *_RING),
        channels=_EVENTS,
    ),
    Role.SCHEDULER: Rights(
        _commands(
            _SCRIPT,
            "get mget set del exists expireat pexpire publish psubscribe pttl time unlink",
            "hdel hget hgetall hincrby hkeys hlen hmget hset",
            "sadd sismember smembers srem",
            "xadd xrange zadd zcard zrange zrangebyscore zrem zrevrange",
        ),
        keys=(*_RUNNING, *_KEPT, "w:jobs", _UPLOADS, "w:up:*", "w:ring:*"),
        reads=("w:ring",),
        channels=_EVENTS,
    ),
    Role.PROXY: Rights(
        _commands(
            _SCRIPT,
            "get set expireat pexpire pttl time",
            "hdel hexists hget hgetall hincrby hmget hset",
            "sadd zadd zcard zrevrange",
        ),
        keys=("w:*:m", "w:*:look", "w:*:r:*", "w:*:v", _UPLOADS, _HELD, *_RING),
        reads=("w:*:s", "w:*:slow"),
    ),
    Role.NODE: Rights(_commands(_GREETING)),
    Role.CLIENT: Rights(
        _commands(
            _SCRIPT,
            "get pexpire pttl unlink hdel hexists hget hlen hmget hset sadd sismember smembers srem",
        ),
        keys=(_UPLOADS, _HELD),
        reads=("w:*:s", "w:ring"),
    ),
}

_VALUES, _INDICES = "w:*:v:*", "w:*:k"
_READ = "get getrange exists"
_WRITE = "multi sadd pexpire set exec"
_PURGE = "sscan unlink srem"

_KVS = {
    Role.EXECUTOR: Rights(_commands(_GREETING, _READ, _WRITE, _PURGE, "smembers"), keys=(_VALUES, _INDICES)),
    # It removes values and lets them live longer, and reads none.
    Role.SCHEDULER: Rights(_commands(_GREETING, _PURGE, "pexpire"), keys=(_INDICES,), writes=(_VALUES,)),
    Role.PROXY: Rights(_commands(_GREETING, _READ, _WRITE, _PURGE), keys=(_VALUES, _INDICES)),
    Role.NODE: Rights(_commands(_GREETING, _PURGE, "dbsize"), keys=(_INDICES,), writes=(_VALUES,)),
    Role.CLIENT: Rights(_commands(_GREETING, _READ, _WRITE, _PURGE), keys=(_UPLOADS,), reads=(_VALUES,)),
}

RIGHTS: Mapping[str, Mapping[Role, Rights]] = {"mds": _MDS, "kvs": _KVS}
"""Kind of store -> role -> what it may do there."""


def digest(password: str) -> str:
    """What a server is told of a password."""
    return hashlib.sha256(password.encode()).hexdigest()


def users(store: str, digests: Mapping[Role, str]) -> list[str]:
    """The lines of a server's configuration that make the users. Whoever shows no name, or another, may do nothing.

    Args:
        store: The kind of store, a key of `RIGHTS`.
        digests: `digest` of each role's password.
    """
    lines = ["user default off resetpass resetkeys resetchannels -@all"]
    for role, rights in RIGHTS[store].items():
        words = [f"user {role} on #{digests[role]} resetkeys resetchannels -@all"]
        words += [f"+{name}" for name in sorted(rights.commands)]
        words += [f"~{pattern}" for pattern in rights.keys]
        words += [f"%R~{pattern}" for pattern in rights.reads]
        words += [f"%W~{pattern}" for pattern in rights.writes]
        words += [f"&{pattern}" for pattern in rights.channels]
        lines.append(" ".join(words))
    lines.append(f"user {Role.ADMINISTRATOR} on #{digests[Role.ADMINISTRATOR]} +@all ~* &*")
    return lines
