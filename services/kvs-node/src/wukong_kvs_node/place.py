"""Where a node in a container is, and what it is called, as far as its settings do not say it.

On Fargate its name is the id of its task, which no later one has, and its address the task's own in the VPC: ECS tells
both at an address that it names in the environment. Elsewhere the container's host name is its name, and its address in
the cluster's network.

Kept apart from what runs there, so that a health check imports next to nothing.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from urllib.parse import urlsplit

from wukong import settings
from wukong.errors import ClusterUnavailable

AGENT_PORT = 50053
STORE_PORT = 6379

#: Set by ECS in every container: where it tells about it. It has no TLS and is within the host.
#: Source: Amazon ECS Developer Guide, "Amazon ECS task metadata endpoint version 4 for tasks on Fargate".
METADATA = "ECS_CONTAINER_METADATA_URI_V4"
_SECONDS = 2.0
_OK = 200


def settled(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The settings of a node that is told nothing else.

    Raises:
        ClusterUnavailable: ECS does not tell where it is.
    """
    name, host = _task(environ[METADATA]) if environ.get(METADATA) else (socket.gethostname(),) * 2
    return {
        settings.NODE_ID.name: name,
        settings.NODE_REDIS_ADDRESS.name: f"{host}:{STORE_PORT}",
        settings.LISTEN.name: f"{host}:{AGENT_PORT}",
    }


def _task(url: str) -> tuple[str, str]:
    """The id of this container's task, and its address."""
    from http.client import HTTPConnection, HTTPException

    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/task")
        answer = connection.getresponse()
        told = json.loads(answer.read()) if answer.status == _OK else {}
        network = told["Containers"][0]["Networks"][0]
        return told["TaskARN"].rpartition("/")[2], network["IPv4Addresses"][0]
    except (OSError, HTTPException, ValueError, LookupError, TypeError) as error:
        raise ClusterUnavailable(
            f"ECS does not tell at {url}/task which task this node is, and where: {type(error).__name__}: {error}"
        ) from error
    finally:
        connection.close()
