"""What Compose makes of Wukong's Compose file, and whether a machine has room for it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The first version of Compose that understands the file.
NEEDED = (2, 24)

#: What the services need beside what they are allowed, in MB.
_BESIDE_MB = 512


@dataclass(frozen=True, slots=True)
class Room:
    """The memory that a cluster may use, in MB.

    Attributes:
        environments: Environments at once.
        environment_mb: Most memory of one.
        nodes: KVS nodes.
        node_mb: Most memory of one.
    """

    environments: int
    environment_mb: int
    nodes: int
    node_mb: int

    def error(self, total_mb: int) -> str:
        """Why nothing will run with that much memory; empty where something will."""
        least = self.environment_mb + _BESIDE_MB
        if total_mb >= least:
            return ""
        return (
            f"the engine has {total_mb:,} MB of memory, and one environment ({self.environment_mb:,} MB) with the "
            f"services needs {least:,} MB. Give the engine more, or environments less: --memory-mb"
        )

    def warning(self, total_mb: int) -> str:
        """What may become too much; empty where there is room for all."""
        most = self.environments * self.environment_mb + self.nodes * self.node_mb + _BESIDE_MB
        if total_mb >= most:
            return ""
        return (
            f"the engine has {total_mb:,} MB of memory, and the cluster may use {most:,} MB: {self.environments} "
            f"environments of {self.environment_mb:,} MB and {self.nodes} KVS nodes of {self.node_mb:,} MB. Lower "
            "--environments, --memory-mb or WUKONG_NODE_MEMORY_MB if jobs need that much"
        )


@dataclass(frozen=True, slots=True)
class ComposeConfig:
    """A Compose file of Wukong with its variables filled in.

    Attributes:
        project: The project's name.
        published: host and port of the services that the host reaches, "scheduler" and "kvs-proxy".
        socket: The engine's socket, which the emulator gets.
        room: The memory that it may use.
    """

    project: str
    published: Mapping[str, tuple[str, int]]
    socket: str
    room: Room

    @classmethod
    def parse(cls, text: str) -> ComposeConfig:
        """From what `docker compose config --format json` prints.

        Raises:
            ValueError: It is not Wukong's.
        """
        try:
            config = json.loads(text)
            services = config["services"]
            emulator = services["lambda-emulator"]
            executor = json.loads(emulator["environment"]["WUKONG_FUNCTIONS"])["wukong-executor"]
            node = services["kvs-node"]
            return cls(
                config["name"],
                {name: _published(services[name]) for name in ("scheduler", "kvs-proxy")},
                next(volume["source"] for volume in emulator["volumes"] if volume["target"].endswith("docker.sock")),
                Room(
                    int(executor["concurrency"]),
                    int(executor["memory_mb"]),
                    int(node.get("scale", 1)),
                    int(node["environment"]["WUKONG_NODE_MEMORY_MB"]),
                ),
            )
        except (ValueError, LookupError, TypeError, StopIteration) as error:
            raise ValueError(f"it is not Wukong's Compose file ({type(error).__name__}: {error})") from None

    @property
    def address(self) -> str:
        """host:port of the scheduler."""
        host, port = self.published["scheduler"]
        return f"{host}:{port}"


def _published(service: Mapping[str, Any]) -> tuple[str, int]:
    (port,) = service["ports"]
    return port["host_ip"], int(port["published"])


def version(text: str) -> tuple[int, ...]:
    """The version in "v2.26.1-4", as numbers; empty where there is none."""
    found = re.match(r"v?(\d+)\.(\d+)", text.strip())
    return tuple(map(int, found.groups())) if found else ()
