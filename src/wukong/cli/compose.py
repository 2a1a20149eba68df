"""`docker compose` with Wukong's Compose file: started, asked and ended, with what is wrong said plainly."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import wukong
from wukong.cli.compose_config import NEEDED, ComposeConfig, Room, version
from wukong.cli.exits import UsageError
from wukong.cli.output import complain
from wukong.errors import ClusterUnavailable

#: Where a container that has the token finds it.
TOKEN_FILE = "/run/wukong/token"

#: The variables with which the published ports are chosen.
_PORT_OF = {"scheduler": "WUKONG_PORT", "kvs-proxy": "WUKONG_PROXY_PORT"}

#: Lines of a container's log that are shown when it did not start.
_SHOWN = "20"

#: How often everything is ended: an emulator that was starting may have started environments meanwhile.
_DOWNS = 3

_NEEDED = ".".join(map(str, NEEDED))


def find_file(given: str | None, here: Path) -> Path:
    """The Compose file: the one that was given, or that of the checkout in which `here` or this package is.

    Raises:
        UsageError: There is none.
    """
    if given is not None:
        if not Path(given).is_file():
            raise UsageError(f"there is no file {given}")
        return Path(given).absolute()
    for folder in (here, *here.parents, *Path(wukong.__file__).parents):
        if (folder / "compose.yaml").is_file() and (folder / "compose/compose.yaml").is_file():
            return folder / "compose.yaml"
    raise UsageError(
        "the Compose file is a part of Wukong's repository, and not of the package: run this in a checkout of it, or "
        "give --file PATH/compose.yaml"
    )


class Compose:
    """One Compose file on this machine's engine.

    Args:
        file: The file.
        environ: What its variables are taken from.
        scale: KVS nodes; None for as many as the file says.

    Attributes:
        config: What Compose made of the file.

    Raises:
        ClusterUnavailable: Docker or Compose is missing, too old, or does not answer.
        UsageError: The file is not Wukong's.
    """

    def __init__(self, file: Path, environ: Mapping[str, str], scale: int | None = None) -> None:
        self._environ = dict(environ)
        self._words = ["docker", "compose", "--file", str(file)]
        self._scale = [] if scale is None else ["--scale", f"kvs-node={scale}"]
        self._memory_mb = self._look_at_engine()
        shown = self._ask("config", "--format", "json")
        if shown.returncode:
            raise UsageError(f"Compose does not understand {file}: {_last(shown.stderr)}")
        try:
            self.config = ComposeConfig.parse(shown.stdout)
        except ValueError as error:
            raise UsageError(f"{file} cannot be used: {error}") from None
        if scale is not None:
            room = self.config.room
            self._room = Room(room.environments, room.environment_mb, scale, room.node_mb)
        else:
            self._room = self.config.room
        self._words += ["--project-name", self.config.project]

    @property
    def command(self) -> str:
        """`docker compose` for this project, as a shell understands it."""
        return shlex.join(self._words)

    def check_machine(self) -> None:
        """Look whether this machine has what the cluster needs; a warning goes to standard error.

        Raises:
            ClusterUnavailable: The engine's socket is missing, a port is in use, or there is too little memory.
        """
        if too_little := self._room.error(self._memory_mb):
            raise ClusterUnavailable(too_little)
        if tight := self._room.warning(self._memory_mb):
            complain(f"warning: {tight}")
        if self._is_local() and not Path(self.config.socket).is_socket():
            raise ClusterUnavailable(
                f"the engine's socket {self.config.socket} is missing, through which the Lambda emulator starts "
                "environments. An engine that runs without root has it elsewhere: link it there"
            )
        running = self.running()
        for service, (host, port) in self.config.published.items():
            if service not in running and (reason := _cannot_listen(host, port)):
                raise ClusterUnavailable(
                    f"{host}:{port}, where the {service} is to be reached, cannot be listened on: {reason}. Stop the "
                    f"program that uses the port, or choose another one with {_PORT_OF[service]}"
                )

    def running(self) -> set[str]:
        """The services of the project that have a running container."""
        return set(self._ask("ps", "--services", "--status", "running").stdout.split())

    def up(self) -> None:
        """Start everything, with images built where they are missing; a job can be run when this returns.

        Raises:
            ClusterUnavailable: Something did not start; its log has gone to standard error.
        """
        if self._tell("up", "--detach", "--wait", *self._scale):
            bad = self._show_bad()
            raise ClusterUnavailable(
                f"the containers did not start ({', '.join(bad) or 'Compose says why'}): what they said is above"
            )

    def down(self) -> None:
        """End everything. What the metadata store keeps, and the secrets, stay for the next time."""
        for _ in range(_DOWNS):
            self._tell("down")
            if not self._ask("ps", "--all", "--quiet").stdout.strip():
                break

    def token(self) -> str:
        """The cluster's token.

        Raises:
            ClusterUnavailable: It cannot be read.
        """
        asked = self._ask("exec", "-T", "scheduler", "cat", TOKEN_FILE)
        if asked.returncode:
            raise ClusterUnavailable(f"the token cannot be read from the scheduler's container: {_last(asked.stderr)}")
        return asked.stdout.strip()

    def _look_at_engine(self) -> int:
        """The engine's memory in MB."""
        try:
            about = self._run(["docker", "info", "--format", "{{json .MemTotal}}"])
        except FileNotFoundError:
            raise ClusterUnavailable(
                f"there is no program `docker` here: install Docker with Compose {_NEEDED} or newer, or use "
                "`wukong up` without --compose, which needs neither"
            ) from None
        except PermissionError as error:
            raise ClusterUnavailable(f"the program `docker` cannot be run: {error.strerror}") from None
        if about.returncode:
            raise ClusterUnavailable(
                f"Docker's engine does not answer: {_last(about.stderr)} Start it (`systemctl start docker`, or Docker "
                "Desktop), and see that you may use it (group docker)"
            )
        found = self._run(["docker", "compose", "version", "--short"])
        if found.returncode:
            raise ClusterUnavailable(f"Docker has no Compose here: install its plugin, {_NEEDED} or newer")
        if version(found.stdout) < NEEDED:
            raise ClusterUnavailable(f"Compose is {found.stdout.strip()} here, and {_NEEDED} or newer is needed")
        return int(about.stdout) // (1 << 20)

    def _is_local(self) -> bool:
        """Whether the engine is this machine's, as far as the environment says."""
        return self._environ.get("DOCKER_HOST", "unix://").startswith("unix://") and sys.platform == "linux"

    def _show_bad(self) -> list[str]:
        """Print the logs of the containers that did not start, and return their names."""
        bad = []
        for line in self._ask("ps", "--all", "--format", "json").stdout.splitlines():
            container = json.loads(line)
            if container["ExitCode"] or container["Health"] == "unhealthy":
                bad.append(container["Service"])
        if bad:
            self._tell("logs", "--no-color", "--tail", _SHOWN, *bad)
        return bad

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run([*self._words, *words])

    def _run(self, words: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self._environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    def _tell(self, *words: str) -> int:
        """Run it with its output to standard error; Ctrl-C of the terminal does not reach it, but ends it in order."""
        with subprocess.Popen(
            [*self._words, *words],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            start_new_session=True,
        ) as process:
            try:
                return process.wait()
            except BaseException:
                # The group: `docker` runs Compose as a process of its own.
                os.killpg(process.pid, signal.SIGTERM)
                process.wait()
                raise


def _cannot_listen(host: str, port: int) -> str:
    """The system's reason why a port is not free; empty where it is."""
    try:
        with socket.create_server((host, port)):
            return ""
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)


def _last(text: str) -> str:
    """The last line of what a program complained."""
    lines = text.strip().splitlines()
    return f"{lines[-1].rstrip('.')}." if lines else "it does not say why."
