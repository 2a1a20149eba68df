"""One blocking connection to a Redis: the data path of Wukong.

Theory of operation
-------------------
A round trip is one `send` and, nearly always, one `recv`: the socket blocks, and the kernel holds the
timeouts (`SO_RCVTIMEO`), so that no `poll` precedes either. From this machine the reply is asked for a
few times before the thread goes to sleep, giving way to others in between: where cores are idle, waking from
sleep takes longer than the round trip itself (85 instead of 25 microseconds), and where they are busy it
costs nothing.

Replies are parsed by hiredis. Two cases differ:

* What does not fit one small buffer goes out with `sendmsg`, from where it is, without blocking; while the
  socket is full, replies that arrive are read. So a long pipeline and a server that wants to answer cannot
  wait for each other for ever.
* `read_into` knows how long each reply is going to be, so it parses the one header line itself and has the
  kernel write the rest into the caller's buffer.

Between two calls no byte of a reply is outstanding. Whatever interrupts a call (an error, a timeout, Ctrl-C)
would break that, so the connection is dropped then, and the next call makes a new one. A forked child drops
its parent's connection too.

A server that is away, since it restarts, is asked again, whole calls at a time and with growing pauses, for as long
as the connection's patience lasts. Then nobody knows whether the first attempt took effect: so patience is for those
whose calls may be repeated, as all of Wukong's may. A server that says nothing is not asked again: it may be busy.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar, cast

import hiredis

from wukong.errors import ClusterUnavailable
from wukong.redis.command import Arg, Buffer, encode, encode_all
from wukong.redis.dial import dial
from wukong.redis.errors import ConnectionLost, MissingKey, ReplyError, WrongSize
from wukong.redis.tls import Stream, secured

Reply = None | int | bytes | list["Reply"]

#: Bytes that one `recv` may bring, when it is not known how many will come.
SCRATCH: Final = 64 * 1024
#: Buffers that one `sendmsg` may take (IOV_MAX is 1024 on Linux and macOS).
VECTOR: Final = 1000
#: Keys that `read_into` asks for at once: their requests fit any socket's buffer, whatever the server does.
WINDOW: Final = 128
#: Bytes of replies that `read_into` asks for at once, or one value: older servers copy all of a reply to hold it ready.
WINDOW_BYTES: Final = 64 * 1024 * 1024
#: How often a reply from this machine is asked for before the thread sleeps: about 50 microseconds.
TRIES: Final = 64 if hasattr(os, "sched_yield") else 0

#: Seconds between two attempts to reach a server that is away: after the first one that is made at once, and at most.
PAUSES: Final = (0.01, 0.2)

_Answer = TypeVar("_Answer")

_PENDING: Final = object()
_process = os.getpid()


def _forked() -> None:
    global _process
    _process = os.getpid()


os.register_at_fork(after_in_child=_forked)


class Connection:
    """A connection to one Redis, made on first use and again after it broke. For one thread at a time.

    Args:
        address: "host:port".
        password: The user's; empty for none.
        timeout: Seconds to wait for the connection, and for each next byte of a reply.
        patience: Seconds for which a call goes on while the server is away.
        met: Called with the identity of the server whenever a connection is made; None not to ask for that.
        user: Who is to be let in with the password; empty for the default user.
        authority: Who vouches for the server (PEM), which then speaks TLS; empty for one that speaks in the clear.

    Attributes:
        address: Where the server is.
        round_trips: How often this connection waited for replies. Connecting does not count.
        bytes_sent: The bytes of requests.
        bytes_received: The bytes of replies.

    Raises (every method):
        ClusterUnavailable: The server did not answer in time. Nobody knows then whether the commands took effect.
        ConnectionLost: It cannot be reached, or closed the connection: the same, and it may be back in a moment.
        ReplyError: The server refused a command.
    """

    def __init__(
        self,
        address: str,
        *,
        password: str = "",
        timeout: float = 30.0,
        patience: float = 0.0,
        met: Callable[[str], None] | None = None,
        user: str = "",
        authority: str = "",
    ) -> None:
        self.address = address
        self.round_trips = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self._login = (user, password) if user else (password,)
        self._password = password
        self._timeout = timeout
        self._patience = patience
        self._met = met
        self._authority = authority
        self._socket: Stream | None = None
        self._process = 0
        self._near = False  # on this machine
        self._scratch = memoryview(bytearray(SCRATCH))
        self._reader = self._new_reader()

    def call(self, *command: Arg) -> Reply:
        """Send one command and return its reply."""
        try:
            return self._call(command)
        except ConnectionLost as error:
            return self._again(lambda: self._call(command), error)

    def _call(self, command: tuple[Arg, ...]) -> Reply:
        encoded = encode(command)
        stream = self._socket
        if stream is None or self._process != _process:
            stream = self._connect()
        try:
            if type(encoded) is bytes:
                sent = stream.send(encoded)
                self.bytes_sent += sent
                if sent != len(encoded):
                    self._send(stream, [memoryview(encoded)[sent:]], [])
                replies: list[Reply] = []
            else:
                replies = []
                self._send(stream, cast("list[Buffer]", encoded), replies)
            self.round_trips += 1
            while not replies:
                self._receive(stream, replies)
        except BaseException as error:
            raise self._broken(error, command) from error
        reply = replies[0]
        if isinstance(reply, ReplyError):
            raise self._refused(reply)
        return reply

    def pipeline(self, commands: Sequence[Sequence[Arg]]) -> list[Reply]:
        """Send commands at once and return their replies; raises the first error reply after reading all."""
        if not commands:
            return []
        try:
            return self._pipeline(commands)
        except ConnectionLost as error:
            return self._again(lambda: self._pipeline(commands), error)

    def _pipeline(self, commands: Sequence[Sequence[Arg]]) -> list[Reply]:
        buffers = encode_all(commands)
        stream = self._socket
        if stream is None or self._process != _process:
            stream = self._connect()
        replies: list[Reply] = []
        count = len(commands)
        try:
            self._send(stream, buffers, replies)
            self.round_trips += 1
            while len(replies) < count:
                self._receive(stream, replies)
        except BaseException as error:
            raise self._broken(error, commands[0]) from error
        for reply in replies:
            if isinstance(reply, ReplyError):
                raise self._refused(reply)
        return replies

    def read_into(self, keys: Sequence[str], buffers: Sequence[memoryview]) -> None:
        """GET each key into its buffer (writable bytes, as long as the value), with no copy in between.

        Raises:
            MissingKey: The first of the keys that does not exist. The other buffers are filled.
            WrongSize: The first of the keys whose value has another length than its buffer.
        """
        for start, end in _windows(buffers):
            self._read_window([("GET", key) for key in keys[start:end]], buffers[start:end])

    def read_part_into(self, key: str, first: int, buffer: memoryview) -> None:
        """GETRANGE as many bytes as a buffer has, from number `first` on, into it, with no copy in between.

        Raises:
            WrongSize: There are fewer; none where the key does not exist.
        """
        self._read_window([("GETRANGE", key, first, first + buffer.nbytes - 1)], [buffer])

    def _again(self, attempt: Callable[[], _Answer], error: ConnectionLost) -> _Answer:
        """What `attempt` returns, made again and again while the server is away, until the patience is over."""
        end = time.monotonic() + self._patience
        pause, longest = 0.0, PAUSES[1]
        while time.monotonic() + pause < end:
            time.sleep(pause)
            try:
                return attempt()
            except ConnectionLost as lost:
                error = lost
            pause = min(max(2 * pause, PAUSES[0]), longest)
        raise error

    def close(self) -> None:
        """Close the connection. A later call makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _read_window(
        self, commands: Sequence[tuple[str, str, *tuple[int, ...]]], buffers: Sequence[memoryview]
    ) -> None:
        try:
            self._read_replies(commands, buffers)
        except ConnectionLost as error:
            self._again(lambda: self._read_replies(commands, buffers), error)

    def _read_replies(
        self, commands: Sequence[tuple[str, str, *tuple[int, ...]]], buffers: Sequence[memoryview]
    ) -> None:
        requests = encode_all(commands)
        stream = self._socket
        if stream is None or self._process != _process:
            stream = self._connect()
        first: Exception | None = None
        try:
            self._send(stream, requests, [])
            self.round_trips += 1
            rest = memoryview(b"")
            for (_, key, *_), buffer in zip(commands, buffers, strict=True):
                try:
                    rest = self._read_bulk(stream, key, buffer, rest)
                except _UnfilledError as unfilled:
                    rest = unfilled.rest
                    first = first or unfilled.reason
        except BaseException as error:
            raise self._broken(error, commands[0]) from error
        if first is not None:
            raise first

    def _read_bulk(self, stream: Stream, key: str, buffer: memoryview, rest: memoryview) -> memoryview:
        """Fill `buffer` with the next reply, of which `rest` came already; returns what came after it."""
        line = bytes(rest[:64])
        while (end := line.find(b"\r\n")) < 0:
            # An error line may be longer than a length; no server writes one of a megabyte.
            if len(rest) > 1_000_000:
                raise hiredis.ProtocolError("a reply starts with a line that does not end")
            rest = memoryview(bytes(rest) + self._more(stream))
            line = bytes(rest)
        rest = rest[end + 2 :]
        if line[:1] == b"-":
            raise _UnfilledError(self._refused(_reply_error(line[1:end].decode(errors="replace"))), rest)
        if line[:1] != b"$":
            raise hiredis.ProtocolError(f"a read of a string was answered with {line[:end]!r}")
        length = int(line[1:end])
        if length < 0:
            raise _UnfilledError(MissingKey(key), rest)
        if length != buffer.nbytes:
            rest = self._fill(stream, memoryview(bytearray(length)), rest)
            raise _UnfilledError(WrongSize(key, buffer.nbytes, length), rest)
        return self._fill(stream, buffer, rest)

    def _fill(self, stream: Stream, buffer: memoryview, rest: memoryview) -> memoryview:
        """Receive what `buffer` still lacks and the line end behind it; returns what came after that."""
        done = min(len(rest), buffer.nbytes)
        buffer[:done] = rest[:done]
        rest = rest[done:]
        while done < buffer.nbytes:
            # The line end, and the start of the next reply, come in the same system call.
            tail = bytearray(64)
            count = self._receive_into(stream, [buffer[done:], tail])
            spare = done + count - buffer.nbytes
            done += count
            if spare > 0:
                rest = memoryview(tail)[:spare]
        while len(rest) < 2:
            rest = memoryview(bytes(rest) + self._more(stream))
        return rest[2:]

    def _more(self, stream: Stream) -> bytes:
        return bytes(self._scratch[: self._receive_into(stream, [self._scratch])])

    def _receive(self, stream: Stream, replies: list[Reply]) -> None:
        """Wait for bytes and append the replies that they complete."""
        scratch = self._scratch
        count = self._receive_into(stream, [scratch])
        reader = self._reader
        reader.feed(scratch, 0, count)
        while (reply := reader.gets()) is not _PENDING:
            replies.append(reply)

    def _receive_into(self, stream: Stream, buffers: list[bytearray | memoryview]) -> int:
        """Wait for bytes, into one buffer after the other; returns how many came."""
        count = -1
        if self._near:
            for _ in range(TRIES):
                try:
                    count = stream.recvmsg_into(buffers, 0, socket.MSG_DONTWAIT)[0]
                    break
                except BlockingIOError:
                    os.sched_yield()
        if count < 0:
            count = stream.recvmsg_into(buffers)[0]
        if not count:
            raise EOFError("the server closed the connection")
        self.bytes_received += count
        return count

    def _send(self, stream: Stream, buffers: list[Buffer], replies: list[Reply]) -> None:
        """Send all of the buffers, and append the replies that come in meanwhile."""
        if len(buffers) == 1 and len(buffers[0]) < SCRATCH:
            # The usual pipeline: one system call, and no list of views.
            whole = buffers[0]
            sent = stream.send(whole)
            self.bytes_sent += sent
            if sent == len(whole):
                return
            buffers = [memoryview(whole)[sent:]]
        views = [memoryview(buffer) for buffer in buffers]
        poll: select.poll | None = None
        at = 0
        while at < len(views):
            try:
                sent = stream.sendmsg(views[at : at + VECTOR], (), socket.MSG_DONTWAIT)
            except BlockingIOError:
                if poll is None:
                    poll = select.poll()
                    poll.register(stream, select.POLLIN | select.POLLOUT)
                events = poll.poll(math.ceil(self._timeout * 1000))
                if not events:
                    raise
                if events[0][1] & select.POLLIN:
                    self._receive(stream, replies)
                continue
            self.bytes_sent += sent
            while at < len(views) and sent >= len(views[at]):
                sent -= len(views[at])
                at += 1
            if sent:
                views[at] = views[at][sent:]

    def _new_reader(self) -> hiredis.Reader:
        return hiredis.Reader(replyError=_reply_error, notEnoughData=_PENDING)

    def _connect(self) -> Stream:
        self.close()
        host, _, port = self.address.rpartition(":")
        try:
            plain, self._near = dial(host.strip("[]"), int(port), self._timeout)
        except (OSError, ValueError) as error:
            raise ConnectionLost(
                f"cannot connect to the Redis at {self.address!r} ({error}). "
                "Check that it runs, and that the address and the network between are right."
            ) from error
        try:
            stream = self._secured(plain) if self._authority else self._timed(plain)
        except BaseException:
            plain.close()
            raise
        self._reader = self._new_reader()
        self._process = _process
        self._socket = stream
        self._greet()
        return stream

    def _timed(self, plain: socket.socket) -> socket.socket:
        plain.settimeout(None)
        seconds, fraction = divmod(self._timeout, 1)
        interval = struct.pack("@ll", int(seconds), int(fraction * 1_000_000))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, interval)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, interval)
        return plain

    def _secured(self, plain: socket.socket) -> Stream:
        import ssl

        self._near = False  # bytes that have come need not be whole records
        try:
            return secured(plain, self._authority, self._timeout)
        except ssl.SSLCertVerificationError as error:
            raise ClusterUnavailable(
                f"the Redis at {self.address} shows a certificate that WUKONG_STORE_CA does not vouch for "
                f"({error.verify_message}). Look whether both are of this cluster, and whether it has expired."
            ) from error
        except OSError as error:
            raise ConnectionLost(
                f"the Redis at {self.address} does not begin TLS ({error}), which WUKONG_STORE_CA asks for. "
                "Look whether it was started with WUKONG_STORE_CERTIFICATE."
            ) from error

    def _greet(self) -> None:
        """Show the password, and learn who answers, in one round trip that does not count."""
        commands: list[tuple[Arg, ...]] = []
        if self._password:
            commands.append(("AUTH", *self._login))
        if self._met is not None:
            commands.append(("INFO", "server"))
        if not commands:
            return
        try:
            *_, last = self._pipeline(commands)
            self.round_trips -= 1
        except ReplyError as error:
            self.close()
            if not self._password:
                raise
            raise ReplyError(
                error.code,
                f"the Redis at {self.address} did not accept the store password ({error.text}). "
                "WUKONG_STORE_PASSWORD, and WUKONG_STORE_USER, must be those that the server was started with.",
            ) from None
        if self._met is not None:
            self._met(_run_id(cast(bytes, last)))

    def _refused(self, error: ReplyError) -> Exception:
        """The error to raise for an error reply."""
        if error.code == "LOADING":
            return ConnectionLost(f"the Redis at {self.address} is starting and still reads its data; try again")
        if error.code == "NOPERM":
            who = f"the user '{self._login[0]}'" if len(self._login) == 2 else "the default user"
            return ReplyError(
                error.code,
                f"the Redis at {self.address} does not let {who} do this ({error.text}). Each role of the cluster has "
                "a user of its own; look whether WUKONG_STORE_USER is the one of this part.",
            )
        if error.code == "NOAUTH":
            return ReplyError(
                error.code,
                f"the Redis at {self.address} asks for a password and none was given. Set WUKONG_STORE_PASSWORD.",
            )
        return error

    def _broken(self, error: BaseException, command: Sequence[Arg]) -> BaseException:
        """Drop the connection, whose replies are not where they should be; returns what to raise."""
        with contextlib.suppress(OSError):
            self.close()
        name = command[0] if command else ""
        doing = f"the Redis at {self.address} was sent {name!r} and"
        if isinstance(error, BlockingIOError):
            return ClusterUnavailable(
                f"{doing} did not answer within {self._timeout:g} s. "
                "Check that it runs, is not overloaded, and can be reached."
            )
        if isinstance(error, OSError | EOFError):
            return ConnectionLost(
                f"{doing} the connection broke ({error}). Check whether the server still runs, and its log."
            )
        if isinstance(error, hiredis.HiredisError):
            return ClusterUnavailable(
                f"{doing} answered what is not RESP2 ({error}). Check that the address is that of a Redis or Valkey."
            )
        return error


def _windows(buffers: Sequence[memoryview]) -> Iterator[tuple[int, int]]:
    """The first of the values that are asked for together, and the end."""
    start = asked = 0
    for end, buffer in enumerate(buffers):
        if end > start and (end - start == WINDOW or asked + buffer.nbytes > WINDOW_BYTES):
            yield start, end
            start, asked = end, 0
        asked += buffer.nbytes
    if buffers:
        yield start, len(buffers)


def _run_id(info: bytes) -> str:
    """The name that a server gives itself whenever it starts, of its INFO."""
    return info.partition(b"run_id:")[2].partition(b"\r\n")[0].decode()


class _UnfilledError(Exception):
    """A reply was read and is not the value that was asked for; `rest` is what came after it."""

    def __init__(self, reason: Exception, rest: memoryview) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rest = rest


def _reply_error(text: str) -> ReplyError:
    return ReplyError(text.partition(" ")[0], text)
