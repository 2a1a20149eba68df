"""Stand-ins for the components, which tests register in place of the real ones: they accept and say nothing."""

import asyncio
from collections.abc import Mapping


class Service:
    def __init__(self, server: asyncio.Server) -> None:
        self._server = server
        self.address = "{}:{}".format(*server.sockets[0].getsockname()[:2])

    def pids(self) -> list[int]:
        return []

    def relays(self) -> list[int]:
        return []

    def queue_url(self, name: str) -> str:
        return f"http://{self.address}/queue/{name}"

    async def close(self) -> None:
        self._server.close()


async def serve(environ: Mapping[str, str]) -> Service:
    host, _, port = environ["WUKONG_LISTEN"].rpartition(":")
    return Service(await asyncio.start_server(lambda _, writer: writer.close(), host, int(port)))


async def hang(environ: Mapping[str, str]) -> Service:
    await asyncio.Event().wait()
    return await serve(environ)


async def refuse(environ: Mapping[str, str]) -> Service:
    raise ValueError("the moon is full")
