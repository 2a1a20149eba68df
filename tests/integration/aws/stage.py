"""A scheduler that has KVS nodes started and ended, where the test is who starts and ends them."""

from __future__ import annotations

import pytest
from tests.integration.scheduler_server.stage import PASSWORD, Lambda, Stage

from wukong.kvs.ring import Node, Ring
from wukong.redis.connection import Connection
from wukong_scheduler.scaling import Scaling, Seen

#: Where nobody listens.
NOWHERE = "127.0.0.1:1"


class ScalingStage(Stage):
    """A scheduler, with `kvs` as the server that all nodes are which answer."""

    def __init__(self, store: str, kvs: str, endpoint: Lambda) -> None:
        super().__init__(store, endpoint)
        self.kvs = kvs
        self._version = 1

    def register(self, *ids: str, gone: tuple[str, ...] = ()) -> None:
        """A ring of nodes that answer, and of others that do not any more."""
        self._version += 1
        nodes = [Node(name, self.kvs) for name in ids] + [Node(name, NOWHERE) for name in gone]
        self.mds.put_ring(Ring(self._version, tuple(sorted(nodes, key=lambda node: node.id))))

    def put(self, key: str) -> None:
        """Have a value in the nodes."""
        self._kvs("SET", key, "1")

    def take(self, key: str) -> None:
        """Have it no more."""
        self._kvs("DEL", key)

    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[Seen]:
        """What the scheduler learns from now on each time that it looks whether the nodes are idle."""
        found: list[Seen] = []
        idle = Scaling.idle

        def noted(scaling: Scaling, seen: Seen, now: float) -> bool:
            found.append(seen)
            return idle(scaling, seen, now)

        monkeypatch.setattr(Scaling, "idle", noted)
        return found

    def _kvs(self, *command: str) -> None:
        connection = Connection(self.kvs, password=PASSWORD)
        connection.call(*command)
        connection.close()
