"""Tells watchers that their job has news: one pub/sub connection to the metadata store for all jobs.

A script that adds to a job's stream publishes on the channel of the same name. An announcement only wakes;
what happened is read from the stream. So nothing is lost when the connection breaks: after a reconnect
everybody is woken.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterator

import hiredis

from wukong.mds import keys
from wukong.redis.tls import context

#: Seconds before a broken connection is made again; doubled up to the second number while that fails.
_PAUSES = (0.05, 2.0)

_log = logging.getLogger(__name__)


class Announcements:
    """Subscribes to the events of all jobs. Belongs to one event loop."""

    def __init__(self, address: str, password: str, user: str = "", authority: str = "") -> None:
        """`address` is host:port of the metadata store's Redis; without a `user`, its default one is asked for.

        With an `authority` (PEM) that vouches for it, it is asked for TLS.
        """
        self._host, _, self._port = address.rpartition(":")
        self._password = password
        self._login = (user, password) if user else (password,)
        self._tls = context(authority) if authority else None
        self._bells: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect in the background, and again whenever the connection breaks."""
        self._task = asyncio.create_task(self._run(), name="announcements")

    async def close(self) -> None:
        """Disconnect."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @contextlib.contextmanager
    def bell(self, job: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the job may have news; the caller clears it."""
        bell = asyncio.Event()
        self._bells.setdefault(job, set()).add(bell)
        try:
            yield bell
        finally:
            bells = self._bells[job]
            bells.discard(bell)
            if not bells:
                del self._bells[job]

    async def _run(self) -> None:
        pause = _PAUSES[0]
        while True:
            try:
                reader, writer = await asyncio.open_connection(self._host, int(self._port), ssl=self._tls)
                try:
                    async for channel in self._channels(reader, writer):
                        pause = _PAUSES[0]
                        self._ring(channel)
                finally:
                    writer.close()
            except (OSError, EOFError, hiredis.HiredisError) as error:
                _log.warning("no announcements from the metadata store (%s); trying again", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSES[1])

    async def _channels(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> AsyncIterator[str]:
        """The channels that were announced on, in turn; first the pattern, once it is subscribed to."""
        if self._password:
            writer.write(hiredis.pack_command(("AUTH", *self._login)))
        writer.write(hiredis.pack_command(("PSUBSCRIBE", keys.EVENT_CHANNELS)))
        parser = hiredis.Reader(replyError=OSError, encoding="utf-8", errors="replace")
        while data := await reader.read(65536):
            parser.feed(data)
            while (message := parser.gets()) is not False:
                if isinstance(message, OSError):
                    raise message
                match message:
                    case ["psubscribe", pattern, _]:
                        yield pattern
                    case ["pmessage", _, channel, _]:
                        yield channel
        raise EOFError("the server closed the connection")

    def _ring(self, channel: str) -> None:
        if channel == keys.EVENT_CHANNELS:
            # Subscribed, perhaps anew: what was announced before is not told again.
            for bells in self._bells.values():
                for bell in bells:
                    bell.set()
            return
        for bell in self._bells.get(keys.job_of_channel(channel), ()):
            bell.set()
