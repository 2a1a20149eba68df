"""`wukong up --compose`: the system in containers, kept until Ctrl-C or left running."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import time
from pathlib import Path

from wukong import settings
from wukong.cli.compose import TOKEN_FILE, Compose, find_file
from wukong.cli.exits import Exit, UsageError
from wukong.cli.interrupts import leave, on_interrupt
from wukong.cli.output import say, say_json
from wukong.errors import ClusterUnavailable

#: Seconds between two looks whether the scheduler is still there, and until it counts as gone.
_LOOK = 1.0
_GONE = 30.0


def run(arguments: argparse.Namespace) -> int:
    """Start the containers and keep them until the process is told to end, or leave them."""
    compose = Compose(find_file(arguments.file, Path.cwd()), _environ(arguments), arguments.kvs_nodes)
    compose.check_machine()
    ours = not compose.running()
    end = signal.default_int_handler
    keep = False
    try:
        with on_interrupt(end), on_interrupt(end, signal.SIGTERM):
            compose.up()
            _tell(arguments, compose)
            keep = arguments.detach
            if not keep:
                ours = True
                _stay(*compose.config.published["scheduler"])
    except KeyboardInterrupt:
        pass
    finally:
        # A cluster that ran before is not ended because it could not be changed.
        if ours and not keep:
            with on_interrupt(leave):
                compose.down()
    return Exit.OK


def _environ(arguments: argparse.Namespace) -> dict[str, str]:
    """The environment for Compose: this one, and what the options say."""
    environ = dict(os.environ)
    for option, variable in (("environments", "WUKONG_ENVIRONMENTS"), ("memory_mb", "WUKONG_MEMORY_MB")):
        value = getattr(arguments, option)
        if value is not None:
            if value < 1:
                raise UsageError(f"{option} is {value}; it must be at least 1")
            environ[variable] = str(value)
    if arguments.kvs_nodes is not None and arguments.kvs_nodes < 1:
        raise UsageError(f"kvs_nodes is {arguments.kvs_nodes}; it must be at least 1")
    if arguments.address:
        host, _, port = arguments.address.rpartition(":")
        if host != "127.0.0.1" or not port.isdecimal() or not 0 < int(port) < 65536:
            raise UsageError(
                f"containers are reached at this machine's loopback interface, and {arguments.address} is not there. "
                "Give --address 127.0.0.1:PORT, or leave it away for port 50051"
            )
        environ["WUKONG_PORT"] = port
    return environ


def _tell(arguments: argparse.Namespace, compose: Compose) -> None:
    address = compose.config.address
    if arguments.json:
        say_json({"address": address, "token": compose.token()}, line=True)
        return
    say(
        f"Wukong is up at {address}, in containers. In another terminal:\n\n"
        f"  export {settings.ADDRESS.name}={address}\n"
        f"  export {settings.TOKEN.name}=$({compose.command} exec -T scheduler cat {TOKEN_FILE})\n"
        "  wukong doctor\n\n" + (f"`{compose.command} down` ends it." if arguments.detach else "Ctrl-C ends it.")
    )


def _stay(host: str, port: int) -> None:
    """Return never, unless the scheduler is gone."""
    seen = time.monotonic()
    while time.monotonic() - seen < _GONE:
        time.sleep(_LOOK)
        try:
            socket.create_connection((host, port), timeout=_LOOK).close()
            seen = time.monotonic()
        except OSError:
            continue
    raise ClusterUnavailable(
        f"the scheduler has not been at {host}:{port} for {_GONE:.0f} s; was the cluster ended elsewhere?"
    )
