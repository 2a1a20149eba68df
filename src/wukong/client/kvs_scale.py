"""Has the scheduler start or end nodes of the key-value store, and waits for it."""

from __future__ import annotations

from collections.abc import Callable

from wukong.client.connection import Connection
from wukong.rpc.status import wukong_errors
from wukong.rpc.v1 import scheduler_pb2

#: Is told how far it is.
Told = Callable[[scheduler_pb2.KvsScale], None]


def scale(connection: Connection, nodes: int, *, at_least: bool, told: Told = lambda _: None) -> None:
    """Have so many nodes; returns when they are there. The scheduler says how long that may take.

    Args:
        connection: To the cluster.
        nodes: So many; with `at_least` 0 stands for as many as a job gets that asks for none.
        at_least: Whether more of them do as well.
        told: Called again and again meanwhile, in another thread.

    Raises:
        LimitExceeded: They are more than the cluster allows.
        ClusterUnavailable: They did not come in time.
        WukongError: The cluster's scheduler starts none; or they would be fewer than before, and are in use.
    """
    request = scheduler_pb2.ScaleKvsRequest(nodes=nodes, at_least=at_least)

    def attempt() -> None:
        with wukong_errors(connection.address):
            for standing in connection.scheduler.ScaleKvs(request):
                told(standing)

    connection.repeat(attempt)
