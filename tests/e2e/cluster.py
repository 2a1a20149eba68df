"""A cluster of the real Compose file, in a project of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container

from wukong import Client

ROOT = Path(__file__).parents[2]
#: Small enough that a task soon has too little.
MEMORY_MB = 512


class Cluster:
    """One project: its name, its ports, its secrets.

    Args:
        engine: The Docker engine.
        variables: What a user would set for the Compose file.
    """

    def __init__(self, engine: docker.DockerClient, **variables: str) -> None:
        self.engine = engine
        self.project = f"wukong-e2e-{secrets.token_hex(4)}"
        self.ports = (free_port(), free_port())
        self.variables = {
            "WUKONG_PORT": str(self.ports[0]),
            "WUKONG_PROXY_PORT": str(self.ports[1]),
            "WUKONG_MEMORY_MB": str(MEMORY_MB),
            "WUKONG_ENVIRONMENTS": "2",
            **variables,
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `docker compose`, as a user does in the repository's root."""
        return subprocess.run(
            ["docker", "compose", "--project-name", self.project, *arguments],
            cwd=ROOT,
            env={**os.environ, **self.variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def compose(self, *arguments: str) -> str:
        """What `docker compose` prints."""
        ran = self.run(*arguments)
        assert ran.returncode == 0, f"{' '.join(arguments)}: {ran.stderr}"
        return ran.stdout

    def up(self, *arguments: str) -> None:
        """Start, or change, the cluster; a job can be run when this returns."""
        command = ("up", "--detach", "--wait", *arguments)
        ran = self.run(*command)
        if ran.returncode and "No such container" in ran.stderr:
            ran = self.run(*command)  # as docs/compose.md tells users
        assert ran.returncode == 0, f"{' '.join(command)}: {ran.stderr}"

    @property
    def address(self) -> str:
        """Where the scheduler is on the host."""
        return f"127.0.0.1:{self.ports[0]}"

    def token(self) -> str:
        """The token, as a user reads it."""
        return self.compose("exec", "-T", "scheduler", "cat", "/run/wukong/token").strip()

    def client(self, **options: Any) -> Client:
        """A client on the host, outside the containers' network."""
        return Client(self.address, token=self.token(), **options)

    def containers(self, service: str = "", *, all_: bool = False) -> list[Container]:
        """The containers of the project, or of one service, without environments unless `all_` says so."""
        labels = [f"com.docker.compose.project={self.project}"]
        labels += [f"com.docker.compose.service={service}"] if service else []
        found = self.engine.containers.list(all=all_, filters={"label": labels}, ignore_removed=True)
        found.sort(key=lambda one: one.name or "")
        return [one for one in found if all_ or "wukong.environment" not in one.labels]

    def environments(self) -> list[Container]:
        """The executors' environments, also those that have ended and are not removed."""
        label = f"wukong.environment={self.project}"
        return self.engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)

    def left(self) -> list[str]:
        """The names of everything that the engine still has of the project."""
        label = {"label": f"com.docker.compose.project={self.project}"}
        found = [one.name or "" for one in self.containers(all_=True) + self.environments()]
        found += [one.name or "" for one in self.engine.networks.list(filters=label)]
        return found + [one.name or "" for one in self.engine.volumes.list(filters=label)]

    def down(self) -> None:
        """End it, with what it keeps."""
        self.compose("down", "--volumes")

    def logs(self) -> str:
        """What all services printed."""
        return self.compose("logs", "--no-color", "--tail", "200")


@contextlib.contextmanager
def running(engine: docker.DockerClient, **variables: str) -> Iterator[Cluster]:
    """A cluster that is up, and of which nothing is left afterwards. Its logs are shown where something goes wrong."""
    started = Cluster(engine, **variables)
    try:
        started.up()
        yield started
    except BaseException:
        print(started.logs())
        raise
    finally:
        started.down()
        assert started.left() == []


def image(name: str) -> str:
    """The image of one part, under the name that Compose and Bake give it."""
    return f"{os.environ.get('PREFIX', 'wukong')}-{name}:{os.environ.get('TAG', 'latest')}"


def free_port() -> int:
    """One of the system's choice: embedded clusters, which may run beside this, take others."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
