"""The `docker` provider: environments are containers of the function's image.

The SDK blocks, so its calls are made in threads. Each container has one that follows it: it carries the output into the
environment's log until that ends, asks how the container ended, and removes it.

Containers bear labels (`container.labels`), by which an emulator that takes the place of one that was killed finds and
removes what that left, and by which Compose removes them with the project.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from requests.exceptions import RequestException

from wukong import settings
from wukong_lambda_emulator import container
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.provider import Exit, ProviderUnavailable

_log = logging.getLogger(__name__)

#: Calls of the SDK that run at once, beside those that follow containers.
_CALLS = 8
#: Connections to the engine that are kept: each container's follower needs one.
_CONNECTIONS = 256
#: Seconds between looks at the memory of containers, which cost the engine some milliseconds each.
_LOOK_SECONDS = 2.0
#: What the SDK raises, and what lies below it.
_TROUBLE = (DockerException, RequestException, OSError)


class ContainerSandbox:
    """One container."""

    def __init__(
        self, client: docker.DockerClient, made: Container, network: str, limit: int, calls: ThreadPoolExecutor
    ) -> None:
        self.pid: int = made.attrs["State"]["Pid"]
        self.address: str = made.attrs["NetworkSettings"]["Networks"][network]["IPAddress"]
        self.exited: asyncio.Future[Exit] = asyncio.get_running_loop().create_future()
        self.container = made
        self._client = client
        self._calls = calls
        self._limit = limit
        self._peak = 0

    def kill(self) -> None:
        """End every process of the container."""
        if not self.exited.done():
            with contextlib.suppress(RuntimeError):  # the provider closes, and removes it
                self._calls.submit(_kill, self.container)

    def used_bytes(self) -> int:
        """The most that it was seen to hold; all that it may where it was ended for that."""
        return self._peak

    def look(self) -> None:
        """Ask the engine what it holds. Blocks."""
        with contextlib.suppress(*_TROUBLE):
            stats = self._client.api.stats(self.container.attrs["Id"], stream=False, one_shot=True)
            self._peak = max(self._peak, container.used_bytes(stats))

    def end(self, end: Exit) -> None:
        """It has ended."""
        if end.out_of_memory:
            self._peak = self._limit
        self.exited.set_result(end)


class DockerProvider:
    """A client of the Docker engine that the environment's variables name."""

    def __init__(self, client: docker.DockerClient, network: str, project: str, host: str) -> None:
        self.host = host
        self._client = client
        self._network = network
        self._project = project
        self._loop = asyncio.get_running_loop()
        self._calls = ThreadPoolExecutor(_CALLS, thread_name_prefix="wukong-docker")
        self._followers: set[threading.Thread] = set()
        self._sandboxes: set[ContainerSandbox] = set()
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def connect(cls, environ: Mapping[str, str]) -> DockerProvider:
        """Reach the engine, and remove what an emulator before this one left there.

        Raises:
            ProviderUnavailable: There is no engine, or not the network.
            InvalidSetting: One is missing.
        """
        network, project = settings.DOCKER_NETWORK.get(environ), settings.DOCKER_PROJECT.get(environ)
        host = settings.RUNTIME_API_HOST.get(environ)
        try:
            client = await asyncio.to_thread(_connect, environ, network)
        except _TROUBLE as error:
            raise ProviderUnavailable(
                f"no environment can be started: {error}. The emulator needs the socket of a Docker engine "
                "(mounted at /var/run/docker.sock, or where DOCKER_HOST says), the right to use it, and there the "
                f"network {network}"
            ) from error
        provider = cls(client, network, project, host)
        await asyncio.to_thread(provider._remove_all)
        return provider

    async def start(self, launch: Launch, output: int) -> ContainerSandbox:
        """Start a container."""
        try:
            made = await self._loop.run_in_executor(self._calls, self._start, launch)
        except _TROUBLE as error:
            raise ProviderUnavailable(_why(launch, error)) from error
        except RuntimeError as error:
            raise ProviderUnavailable("no environment can be started: the emulator is shutting down") from error
        sandbox = ContainerSandbox(self._client, made, self._network, launch.memory_bytes, self._calls)
        self._sandboxes.add(sandbox)
        follower = threading.Thread(target=self._follow, args=(sandbox, os.dup(output)), daemon=True)
        self._followers.add(follower)
        follower.start()
        return sandbox

    async def close(self) -> None:
        """Remove every environment, and return when they are gone."""
        self._watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._watching
        # Those that are being started are waited for: one that comes after the removal would stay.
        await asyncio.to_thread(self._calls.shutdown)
        await asyncio.to_thread(self._remove_all)
        await asyncio.gather(*(sandbox.exited for sandbox in list(self._sandboxes)))
        for follower in list(self._followers):
            await asyncio.to_thread(follower.join)
        self._client.close()

    # In threads.

    def _start(self, launch: Launch) -> Container:
        made = self._client.containers.create(
            name=f"{self._project}-{container.SERVICE}-{secrets.token_hex(4)}",
            **container.options(launch, self._network, self._project),
        )
        try:
            made.start()
            made.reload()
        except BaseException:
            _remove(made)
            raise
        return made

    def _follow(self, sandbox: ContainerSandbox, output: int) -> None:
        made = sandbox.container
        try:
            for text in made.attach(stdout=True, stderr=True, stream=True, logs=True):
                _write(output, text)
            code = made.wait()["StatusCode"]
            made.reload()
            end = container.ended(code, made.attrs["State"]["OOMKilled"])
        except NotFound:
            end = Exit(-9)  # removed from outside, by Compose for one
        except _TROUBLE as error:
            end = Exit(-9, trouble=f"the Docker engine does not tell of an environment any more: {error}")
        finally:
            os.close(output)
        _remove(made)
        self._loop.call_soon_threadsafe(self._ended, sandbox, end)

    def _remove_all(self) -> None:
        label = f"wukong.environment={self._project}"
        with contextlib.suppress(*_TROUBLE):
            left = self._client.containers.list(all=True, filters={"label": label}, ignore_removed=True)
            with ThreadPoolExecutor(_CALLS) as removing:
                list(removing.map(_remove, left))

    # In the loop.

    def _ended(self, sandbox: ContainerSandbox, end: Exit) -> None:
        self._sandboxes.discard(sandbox)
        self._followers = {follower for follower in self._followers if follower.is_alive()}
        sandbox.end(end)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            for sandbox in list(self._sandboxes):
                await self._loop.run_in_executor(self._calls, sandbox.look)


def _connect(environ: Mapping[str, str], network: str) -> docker.DockerClient:
    client = docker.from_env(environment=dict(environ), max_pool_size=_CONNECTIONS)
    try:
        client.networks.get(network)
    except BaseException:
        client.close()
        raise
    return client


def _write(output: int, text: bytes) -> None:
    rest = memoryview(text)
    with contextlib.suppress(BrokenPipeError):  # nobody reads any more: the rest is of no use
        while rest:
            rest = rest[os.write(output, rest) :]


def _kill(made: Container) -> None:
    with contextlib.suppress(*_TROUBLE):  # it has ended already
        made.kill()


def _remove(made: Container) -> None:
    try:
        made.remove(force=True, v=True)
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409:  # somebody else removes it
            _log.warning("a container that was an environment cannot be removed: %s", error)
    except (RequestException, OSError) as error:
        _log.warning("a container that was an environment cannot be removed: %s", error)


def _why(launch: Launch, error: Any) -> str:
    if isinstance(error, ImageNotFound):
        return (
            f"no environment can be started: there is no image {launch.image!r} on this machine. "
            "Build it (`docker compose build`, `docker buildx bake`) or pull it"
        )
    return f"no environment can be started of the image {launch.image!r}: {error}"
