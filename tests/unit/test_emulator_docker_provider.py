"""The docker provider against an engine that behaves as told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound, NotFound

from wukong_lambda_emulator.docker_provider import DockerProvider
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.provider import Exit, ProviderUnavailable

LAUNCH = Launch("m.h", {}, "", 64 << 20, image="i")


class FakeContainer:
    """One that runs until it is killed, removed or told its end."""

    def __init__(self, engine: FakeEngine, options: dict[str, Any]) -> None:
        self.engine = engine
        self.options = options
        self.attrs: dict[str, Any] = {"Id": str(id(self)), "State": {"Pid": 7, "OOMKilled": False}}
        self.attrs["NetworkSettings"] = {"Networks": {"network": {"IPAddress": "172.18.0.9"}}}
        self.output: queue.Queue[bytes | None] = queue.Queue()
        self.code = 0

    def start(self) -> None:
        if self.engine.refuses:
            raise APIError("no more")

    def reload(self) -> None:
        if self not in self.engine.made:
            raise NotFound("gone")

    def attach(self, **_: Any) -> Iterator[bytes]:
        while (text := self.output.get()) is not None:
            yield text

    def wait(self) -> dict[str, int]:
        self.reload()
        return {"StatusCode": self.code}

    def end(self, code: int, oom_killed: bool = False) -> None:
        self.code = code
        self.attrs["State"]["OOMKilled"] = oom_killed
        self.output.put(None)

    def kill(self) -> None:
        self.end(137)

    def remove(self, **_: Any) -> None:
        if self not in self.engine.made:
            raise NotFound("gone")
        self.engine.made.remove(self)
        self.output.put(None)


class FakeEngine:
    """Stands for `docker.DockerClient`, and for its `containers` too."""

    def __init__(self) -> None:
        self.containers = self
        self.made: list[FakeContainer] = []
        self.asked, self.may_make = threading.Event(), threading.Event()
        self.may_make.set()
        self.refuses = False
        self.missing = False

    def create(self, **options: Any) -> FakeContainer:
        self.asked.set()
        assert self.may_make.wait(10)
        if self.missing:
            raise ImageNotFound("no such image")
        self.made.append(FakeContainer(self, options))
        return self.made[-1]

    def list(self, **_: Any) -> list[FakeContainer]:
        return list(self.made)

    def close(self) -> None:
        pass


@contextlib.asynccontextmanager
async def provided(engine: FakeEngine) -> AsyncIterator[DockerProvider]:
    provider = DockerProvider(engine, "network", "project", "host")  # type: ignore[arg-type]
    try:
        yield provider
    finally:
        await provider.close()
        assert engine.made == []


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@pytest.mark.parametrize(
    ("code", "oom_killed", "end"),
    [(0, False, Exit(0)), (3, False, Exit(3)), (137, True, Exit(-9, out_of_memory=True))],
)
def test_a_container_is_followed_to_its_end_and_removed(
    engine: FakeEngine, pipe: tuple[int, int], code: int, oom_killed: bool, end: Exit
) -> None:
    async def live() -> None:
        async with provided(engine) as provider:
            sandbox = await provider.start(LAUNCH, pipe[1])
            (container,) = engine.made
            assert container.options["image"] == "i"
            assert sandbox.address == "172.18.0.9"
            assert container.options["name"].startswith("project-environment-")
            container.output.put(b"some words\n")
            container.end(code, oom_killed)
            assert await asyncio.wait_for(sandbox.exited, 10) == end
            assert engine.made == []
            assert sandbox.used_bytes() == (LAUNCH.memory_bytes if oom_killed else 0)

    asyncio.run(live())
    assert os.read(pipe[0], 100) == b"some words\n"


def test_a_killed_one_ends_as_killed(engine: FakeEngine, pipe: tuple[int, int]) -> None:
    async def live() -> None:
        async with provided(engine) as provider:
            sandbox = await provider.start(LAUNCH, pipe[1])
            sandbox.kill()
            assert await asyncio.wait_for(sandbox.exited, 10) == Exit(-9)
            sandbox.kill()

    asyncio.run(live())


def test_one_that_somebody_else_removed_ended_as_killed(engine: FakeEngine, pipe: tuple[int, int]) -> None:
    async def live() -> None:
        async with provided(engine) as provider:
            sandbox = await provider.start(LAUNCH, pipe[1])
            engine.made[0].remove()
            assert await asyncio.wait_for(sandbox.exited, 10) == Exit(-9)

    asyncio.run(live())


def test_one_that_is_being_started_when_the_provider_closes_does_not_stay(
    engine: FakeEngine, pipe: tuple[int, int]
) -> None:
    async def live() -> None:
        async with provided(engine) as provider:
            engine.may_make.clear()
            starting = asyncio.create_task(provider.start(LAUNCH, pipe[1]))
            await asyncio.to_thread(engine.asked.wait, 10)
            closing = asyncio.create_task(provider.close())
            await asyncio.sleep(0)
            engine.may_make.set()
            await asyncio.wait_for(closing, 10)
            assert engine.made == []
            assert await asyncio.wait_for((await starting).exited, 10) == Exit(-9)
            with pytest.raises(ProviderUnavailable, match="shutting down"):
                await provider.start(LAUNCH, pipe[1])

    asyncio.run(live())


def test_a_start_that_fails_leaves_nothing_and_says_why(engine: FakeEngine, pipe: tuple[int, int]) -> None:
    async def live() -> None:
        async with provided(engine) as provider:
            engine.refuses = True
            with pytest.raises(ProviderUnavailable, match="of the image 'i': no more"):
                await provider.start(LAUNCH, pipe[1])
            assert engine.made == []
            engine.missing = True
            with pytest.raises(ProviderUnavailable, match=r"there is no image 'i' on this machine\. Build it"):
                await provider.start(LAUNCH, pipe[1])

    asyncio.run(live())


def test_without_an_engine_the_emulator_says_what_it_needs(tmp_path: Path) -> None:
    environ = {
        "WUKONG_FUNCTIONS": '{"f": {"handler": "m.h", "image": "i"}}',
        "WUKONG_DOCKER_NETWORK": "n",
        "WUKONG_DOCKER_PROJECT": "p",
        "WUKONG_RUNTIME_API_HOST": "h",
        "DOCKER_HOST": f"unix://{tmp_path}/none.sock",
    }
    ended = subprocess.run(
        [sys.executable, "-m", "wukong_lambda_emulator"], env=environ, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "needs the socket of a Docker engine" in ended.stderr
    assert "Traceback" not in ended.stderr
