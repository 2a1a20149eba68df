"""What is done to containers, all of it through the engine, so that it may run anywhere."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import docker
from docker.errors import APIError
from docker.models.containers import Container
from tests.e2e.cluster import image

#: Requests of <linux/sockios.h>.
_SET_NEIGHBOUR, _FORGET_NEIGHBOUR = 0x8955, 0x8953


def crash(engine: docker.DockerClient, container: Container) -> None:
    """Kill the first process of a container, as the kernel does.

    `docker kill` would not do: what is killed by it counts as stopped by its user, and is not started again.
    """
    container.reload()
    program = f"import os, signal; os.kill({container.attrs['State']['Pid']}, signal.SIGKILL)"
    _help(engine, program, pid_mode="host")


@contextlib.contextmanager
def paused(container: Container, seconds: float | None = None) -> Iterator[None]:
    """A container that stands still for so long, or for as long as the block takes."""
    waking = threading.Timer(seconds, _wake, (container,)) if seconds is not None else None
    container.pause()
    try:
        if waking:
            waking.start()
        yield
    finally:
        if waking:
            waking.join()
        else:
            _wake(container)


def _wake(container: Container) -> None:
    with contextlib.suppress(APIError):  # it has been removed
        container.unpause()


def address(container: Container) -> str:
    """Its address in the project's network."""
    container.reload()
    (network,) = container.attrs["NetworkSettings"]["Networks"].values()
    found: str = network["IPAddress"]
    return found


@contextlib.contextmanager
def parted(engine: docker.DockerClient, one: Container, other: Container) -> Iterator[None]:
    """Two containers that do not reach each other, and reach everybody else: what they send is lost on the way.

    Each has a wrong hardware address for the other in its neighbour table: no packet arrives, and none is refused.
    """
    pairs = [(one, address(other)), (other, address(one))]
    for container, far in pairs:
        _neighbour(engine, container, _SET_NEIGHBOUR, far)
    try:
        yield
    finally:
        for container, far in pairs:
            with contextlib.suppress(APIError):  # it has ended
                _neighbour(engine, container, _FORGET_NEIGHBOUR, far)


def _neighbour(engine: docker.DockerClient, container: Container, request: int, far: str) -> None:
    # struct arpreq of <net/if_arp.h>: protocol and hardware address, flags (complete, permanent), netmask, device.
    program = f"""
import fcntl, socket, struct
protocol = struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton({far!r}))
hardware = struct.pack("=H6s8x", 1, bytes.fromhex("020000000001"))
entry = protocol + hardware + struct.pack("=i16s16s", 0x06, b"", b"eth0")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, {request}, entry)
"""
    _help(engine, program, network_mode=f"container:{container.id}", cap_add=["NET_ADMIN"])


def _help(engine: docker.DockerClient, program: str, **options: Any) -> None:
    """Run a Python program in a container of its own, of any image that has a Python."""
    engine.containers.run(image("kvs-proxy"), ["-c", program], entrypoint="python", user="0", remove=True, **options)
