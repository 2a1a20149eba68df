"""What one environment keeps warm between invocations: settings, connections, clients."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from threading import Lock
from typing import NoReturn

from wukong import settings
from wukong.invocation.api import InvokeApi
from wukong.invocation.requests import Requests
from wukong.invocation.spreading import Spreading
from wukong.kvs.access import Access
from wukong.kvs.redis import RedisKvs
from wukong.kvs.ring import Node, Ring
from wukong.mds.redis import RedisMds
from wukong.values.signing import Signer
from wukong.values.values import Values
from wukong_executor.heap import Heap
from wukong_executor.pulse import Pulse

#: Ring versions whose connections are kept open.
RINGS_KEPT = 4

#: Seconds for which an executor waits for a metadata store that is away, and keeps what it has to report.
PATIENCE = 30.0

#: Beats at once. Lambda has one invocation at a time in an environment; where there are more, none waits for another.
BEATS = 64


class Environment:
    """One execution environment, from its first invocation on."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        #: The settings, for those that are read only when they are needed.
        self.told = environ
        self._access = Access.read(environ)
        self._lambda_endpoint = settings.LAMBDA_ENDPOINT.get(environ)
        self.function = settings.EXECUTOR_FUNCTION.get(environ)
        self.spreading = Spreading.read(environ)
        #: Where wide fan-outs go; empty where there is no proxy for them, or no token to call it with.
        self.proxy_token = settings.TOKEN.find(environ)
        self.proxy_address = environ.get(settings.PROXY_ADDRESS.name, "") if self.proxy_token else ""
        self.max_task_fanout = settings.MAX_TASK_FANOUT.whole(environ, 1)
        self.beat_seconds = settings.BEAT_SECONDS.seconds(environ)
        self.large_bytes = settings.LARGE_BYTES.whole(environ)
        self.full_seconds = settings.FULL_SECONDS.seconds(environ)
        self.lease_seconds = settings.LEASE_SECONDS.seconds(environ)
        self._reached_at: dict[str, str] = json.loads(settings.STORE_ADDRESSES.get(environ) or "{}")
        mds = settings.MDS_ADDRESS.get(environ)
        self._mds_address = self._reached_at.get(mds, mds)
        self._user, self._password = settings.STORE_USER.get(environ), settings.STORE_PASSWORD.get(environ)
        self.mds = RedisMds(
            self._mds_address,
            password=self._password,
            patience=PATIENCE,
            user=self._user,
            authority=self._access.authority,
        )
        self.signer = Signer(settings.SIGNING_KEY.key(environ))
        self.heap = Heap()
        self.cold = True
        self.pulse: Pulse | None = None
        self._stores: dict[str, RedisKvs] = {}
        self._requests: dict[str, Requests] = {}
        self._requesting = Lock()

    def start_pulse(self) -> None:
        """Start the process that renews leases, before any other thread does anything."""
        self.pulse = Pulse(self._mds_address, self._password, self._user, self._access.authority)

    def kvs(self, ring: Ring) -> RedisKvs:
        """The key-value store of a ring; connections are kept for the newest few."""
        name = ring.to_json()
        if name not in self._stores:
            while len(self._stores) >= RINGS_KEPT:
                self._stores.pop(next(iter(self._stores))).close()
            self._stores[name] = self._access.store(self._reached(ring), self._newest_ring)
        return self._stores[name]

    def _newest_ring(self) -> Ring | None:
        ring = self.mds.newest_ring()
        return None if ring is None else self._reached(ring)

    def _reached(self, ring: Ring) -> Ring:
        """The ring with the addresses that this environment must use."""
        nodes = (Node(node.id, self._reached_at.get(node.address, node.address)) for node in ring.nodes)
        return Ring(ring.version, tuple(nodes))

    def values(self, ring: Ring) -> Values:
        """Values of a job pinned to `ring`."""
        return Values(self.kvs(ring), self.signer)

    def end(self, reason: str) -> NoReturn:
        """End this process, whatever it is in the middle of. The next invocation gets another environment."""
        with suppress(Exception):  # whatever is left of the stream
            sys.stderr.write(f"wukong: this environment ends, because {reason}\n")
            sys.stderr.flush()
        os._exit(1)

    @cached_property
    def beats(self) -> ThreadPoolExecutor:
        """Where beats run. Its threads stay: on a busy machine it can take longer to start one than to run a job."""
        return ThreadPoolExecutor(BEATS, thread_name_prefix="wukong-beat")

    def requests(self, function: str) -> Requests:
        """Requests to invoke a function; made on first use, because most small jobs never invoke anything.

        Raises:
            ClusterUnavailable: There are no AWS credentials.
        """
        with self._requesting:
            if function not in self._requests:
                self._requests[function] = Requests(InvokeApi(self._lambda_endpoint, function))
            return self._requests[function]
