"""The health check of images, against real gRPC servers, and against what is none."""

import asyncio
import socket
import subprocess
import sys

import pytest

from wukong.rpc import server as rpc_server
from wukong.rpc.serving import serving


async def asked(*, serving_at_once: bool) -> tuple[bool, bool, bool]:
    """Health at the start, after `serving`, and after the end."""
    server = await rpc_server.start("127.0.0.1:0", lambda _: None, "t", [], serving=serving_at_once)
    first = await asyncio.to_thread(serving, server.address)
    await server.serving()
    second = await asyncio.to_thread(serving, server.address)
    await server.close()
    return first, second, await asyncio.to_thread(serving, server.address)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_serves_from_when_it_says_so_to_its_end(at_once: bool) -> None:
    assert asyncio.run(asked(serving_at_once=at_once)) == (at_once, True, False)


def test_what_answers_otherwise_is_not_serving() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        process = subprocess.Popen([sys.executable, "-I", "-m", "wukong.rpc.serving", address])
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        assert process.wait(timeout=30) == 1
