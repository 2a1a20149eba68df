"""The metadata store, in memory and on every real server of this machine, behind one face for the tests.

A test that asks for `store` runs once for each implementation. When it is over, no key of a real server may live for
ever but the few global ones.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from wukong.cluster.valkey import ValkeyServer, server_program
from wukong.kvs.ring import Node, Ring
from wukong.mds import keys
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.redis import RedisMds
from wukong.mds.store import Arrival, Begun, JobInfo, JobSpec, Mds, Status, Sync, Synced
from wukong.redis import Connection
from wukong.testing.clock import Clock
from wukong.testing.mds import MemoryMds

PASSWORD = "open-sesame"
RING = Ring(3, (Node("one", "127.0.0.1:1"), Node("two", "127.0.0.1:2")))


@dataclass
class Holder:
    """Somebody who calls for one record with one token."""

    mds: Mds
    job: str
    record: str
    token: str
    generation: int = 0
    lease: float = 60.0
    begun: Begun = field(default_factory=lambda: Begun(Status.GONE))

    def begin(self, pages: Sequence[int] = (), cold: bool = False) -> Begun:
        self.begun = self.mds.begin(self.job, self.record, self.token, self.lease, pages, cold)
        return self.begun

    def sync(self, *arrivals: Arrival, **fields: Any) -> Synced:
        call = Sync(arrivals, **fields)
        return self.mds.sync(self.job, self.record, self.token, self.generation, self.lease, call)

    def verdicts(self, *arrivals: Arrival, **fields: Any) -> str:
        synced = self.sync(*arrivals, **fields)
        assert synced.status is Status.OK
        return "".join(answer.verdict.value for answer in synced.answers)

    def renew(self) -> Status:
        return self.mds.renew(self.job, self.record, self.token, self.generation, self.lease)

    def offload(self, offload: str, *pieces: Sequence[int], end: bool = False, depth: int = 1) -> tuple[Status, int]:
        records = [Record("", piece, depth=depth) for piece in pieces]
        return self.mds.offload(self.job, self.record, self.token, self.generation, offload, self.lease, records, end)

    def fail(self, message: str = "it raised") -> Status:
        return self.mds.fail(self.job, self.record, self.token, self.generation, Failure("TaskError", message, task=1))


@dataclass
class Store:
    """A metadata store under test.

    Attributes:
        mds: The store.
        names: Names of all keys that it holds.
        clock: Time in seconds, for differences only.
        wait: Lets a moment pass.
        lasting: Names of the keys that would live for ever.
    """

    mds: Mds
    names: Callable[[], list[str]]
    clock: Callable[[], float]
    wait: Callable[[float], None]
    lasting: Callable[[], list[str]]

    def eventually(self, condition: Callable[[], Any], seconds: float = 10.0) -> Any:
        """What the condition returns, as soon as that is true."""
        deadline = self.clock() + seconds
        while not (found := condition()):
            assert self.clock() < deadline, "the condition did not become true in time"
            self.wait(0.005)
        return found

    def submit(
        self,
        *entries: Sequence[int],
        job: str = "job",
        sinks: int = 1,
        pages: Sequence[bytes] = (b"page 0",),
        lease: float = 60.0,
        parallelism: int = 8,
        seconds: float = 60.0,
        **fields: Any,
    ) -> str:
        """Submit a job; group i of entries becomes record "i"."""
        spec = JobSpec(
            tasks=100,
            sinks=sinks,
            pages=len(pages),
            first_tasks=[64 * i for i in range(len(pages))],
            parallelism=parallelism,
            ring=RING,
            seconds=seconds,
            **fields,
        )
        records = [Record(str(i), group) for i, group in enumerate(entries or ([0],))]
        return self.mds.submit(job, spec, pages, records, lease)

    def holder(self, record: str = "0", token: str | None = None, job: str = "job", lease: float = 60.0) -> Holder:
        """Begin a record."""
        holder = Holder(self.mds, job, record, token or f"token-{record}", lease=lease)
        assert holder.begin().status is Status.OK
        holder.generation = holder.begun.generation
        return holder

    def stranger(self, record: str = "0", token: str = "nobody", job: str = "job", generation: int = 0) -> Holder:
        """Somebody who did not begin."""
        return Holder(self.mds, job, record, token, generation)

    def info(self, job: str = "job") -> JobInfo:
        info = self.mds.job(job)
        assert info is not None
        return info

    def of_job(self, job: str = "job") -> list[str]:
        """Names of the keys of one job, without the job's prefix."""
        start = f"{keys.prefix(job)}:"
        return [key.removeprefix(start) for key in self.names() if key.startswith(start)]


class Servers:
    """Real servers, each started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.stack = ExitStack()
        self._folder = folder
        self._addresses: dict[str, str] = {}

    def address(self, program: str) -> str:
        if program not in self._addresses:
            name = f"mds-{len(self._addresses)}"
            server = ValkeyServer(self._folder, name, password=PASSWORD, program=program)
            self._addresses[program] = self.stack.enter_context(server).address
        return self._addresses[program]


def _programs() -> list[str]:
    found = [server_program({}), shutil.which("valkey-server"), shutil.which("redis-server")]
    return list(dict.fromkeys(str(Path(program).resolve()) for program in found if program))


@pytest.fixture(scope="session")
def mds_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    servers = Servers(tmp_path_factory.mktemp("mds"))
    with servers.stack:
        yield servers


@pytest.fixture(params=["memory", *_programs()], ids=lambda name: Path(name).name)
def store(request: pytest.FixtureRequest, mds_servers: Servers) -> Iterator[Store]:
    """An empty metadata store."""
    if request.param == "memory":
        yield memory_store()
        return
    with ExitStack() as stack:
        store = server_store(mds_servers.address(request.param), stack)
        yield store
        assert store.lasting() == []


@pytest.fixture(params=_programs(), ids=lambda name: Path(name).name)
def mds_program(request: pytest.FixtureRequest) -> str:
    """The program of a real server."""
    return str(request.param)


def memory_store() -> Store:
    clock = Clock()
    mds = MemoryMds(clock)
    return Store(mds, mds.keys, clock, clock.advance, list)


def server_store(address: str, stack: ExitStack) -> Store:
    connection = Connection(address, password=PASSWORD)
    stack.callback(connection.close)
    connection.call("FLUSHALL")
    mds = RedisMds(address, password=PASSWORD)
    stack.callback(mds.close_connections)

    def names() -> list[str]:
        return sorted(name.decode() for name in cast("list[bytes]", connection.call("KEYS", "*")))

    def lasting() -> list[str]:
        known = names()
        ttls = connection.pipeline([["TTL", name] for name in known])
        eternal = {name for name, ttl in zip(known, ttls, strict=True) if ttl == -1}
        return sorted(name for name in eternal - {keys.JOBS, keys.RING_NEWEST} if not name.startswith("w:ring:"))

    return Store(mds, names, time.monotonic, time.sleep, lasting)
