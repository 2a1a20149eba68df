"""Where a node in a container is: the container's host name is its own name, and its address in the cluster's network.

Kept apart from what runs there, so that a health check imports next to nothing.
"""

from __future__ import annotations

import socket

from wukong import settings

AGENT_PORT = 50053
STORE_PORT = 6379


def settled() -> dict[str, str]:
    """The settings of a node that is told nothing else."""
    host = socket.gethostname()
    return {
        settings.NODE_ID.name: host,
        settings.NODE_REDIS_ADDRESS.name: f"{host}:{STORE_PORT}",
        settings.LISTEN.name: f"{host}:{AGENT_PORT}",
    }
