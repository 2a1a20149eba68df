"""Redis servers of the user's that serve as KVS nodes: fit for it before anything starts, clean after the end.

They hold other data too, so nothing here changes a key that does not start with the cluster's namespace.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from typing import cast

from wukong.errors import ClusterUnavailable, WukongError
from wukong.redis import Connection, ReplyError

#: The oldest Redis that knows what the KVS asks for (PEXPIRE with NX and GT).
OLDEST = 7
#: Seconds that an endpoint may take to answer.
_PATIENCE = 0.9
#: Keys that one round trip looks at.
_BATCH = 1000


def check(endpoints: Sequence[str]) -> None:
    """Return if each server can be a KVS node.

    Raises:
        ClusterUnavailable: One cannot; names it, and says why and what to do.
    """
    for endpoint in endpoints:
        if reason := _unfit(endpoint):
            raise ClusterUnavailable(f"the Redis endpoint {endpoint} cannot be a KVS node: {reason}")


def clear(endpoints: Sequence[str], namespace: str) -> None:
    """Remove every key of a cluster.

    Raises:
        WukongError: An endpoint does not answer or refuses; the others are cleared all the same.
    """
    failed: WukongError | None = None
    for endpoint in endpoints:
        try:
            _clear(endpoint, namespace)
        except WukongError as error:
            failed = failed or error
    if failed is not None:
        raise failed


def _unfit(endpoint: str) -> str:
    """Why a server cannot be a node; empty if it can."""
    try:
        with contextlib.closing(Connection(endpoint, timeout=_PATIENCE)) as redis:
            text = cast("bytes", redis.call("INFO")).decode(errors="replace")
    except ReplyError as error:
        if error.code == "NOAUTH":
            return (
                "it wants a password, and redis_endpoints are used without one; start a server without, or leave "
                "redis_endpoints away"
            )
        return f"it refused INFO ({error.text}); is it a Redis, and may this machine use it?"
    except ClusterUnavailable as error:
        return str(error)
    info = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    version = info.get("redis_version", "")
    number = re.match(r"\d+", version)
    if not number:
        return "it does not say which Redis it is; is it a Redis or a Valkey?"
    if int(number[0]) < OLDEST:
        return f"it is Redis {version}, and the KVS needs {OLDEST} or newer, or any Valkey; update it"
    if info.get("role") != "master":
        return "it is a replica, which accepts no writes; name its primary"
    if info.get("cluster_enabled") == "1":
        return "it is a node of a Redis Cluster, which shards by itself; name servers that are on their own"
    return ""


def _clear(endpoint: str, namespace: str) -> None:
    cursor = b"0"
    with contextlib.closing(Connection(endpoint, timeout=_PATIENCE)) as redis:
        while True:
            cursor, found = cast(
                "tuple[bytes, list[bytes]]",
                redis.call("SCAN", cursor, "MATCH", f"w:{namespace}*", "COUNT", _BATCH),
            )
            if found:
                redis.call("UNLINK", *found)
            if cursor == b"0":
                return
