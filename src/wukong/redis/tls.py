"""TLS to a server of the stores: what a connection trusts, and a stream that is used as a socket is.

A cluster's stores show certificates of an authority of its own, which vouches for nobody else. So that it does is all
that is looked at, and not the name: nodes come and go, and are known by addresses that no certificate was made for.

OpenSSL writes and reads records of at most 16 KiB, from and into one buffer at a time. So a `SecureStream` joins small
buffers and takes long ones piece by piece: a connection asks again for what is left, as it does with a socket.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wukong import settings
from wukong.errors import InvalidSetting
from wukong.settings import Variable

if TYPE_CHECKING:
    import ssl

#: What text in the form PEM begins with, and no path.
PEM: Final = "-----BEGIN"

#: Bytes that one record holds.
_RECORD: Final = 16 * 1024


def read(variable: Variable, environ: Mapping[str, str]) -> str:
    """The text in the form PEM that a setting holds, or the file that it names; empty where it is empty.

    Raises:
        InvalidSetting: The file cannot be read, or holds something else.
    """
    value = variable.get(environ)
    if not value or value.startswith(PEM):
        return value
    try:
        text = Path(value).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidSetting(variable.name, f"it is {value!r}, which cannot be read: {error}") from error
    if PEM not in text:
        raise InvalidSetting(variable.name, f"it is {value!r}, which holds nothing in the form PEM")
    return text


def read_authority(environ: Mapping[str, str]) -> str:
    """Certificates (PEM) of who vouches for the stores; empty for stores that are spoken to in the clear.

    Raises:
        InvalidSetting: It is no such text, and no file with it.
    """
    authority = read(settings.STORE_CA, environ)
    if authority:
        try:
            context(authority)
        except (OSError, ValueError):
            raise InvalidSetting(settings.STORE_CA.name, "it holds no certificate in the form PEM") from None
    return authority


@cache
def context(authority: str) -> ssl.SSLContext:
    """What is asked of a server: a certificate of this authority (PEM), and TLS 1.3."""
    import ssl

    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_verify_locations(cadata=authority)
    return made


def secured(stream: socket.socket, authority: str, timeout: float) -> SecureStream:
    """TLS over a connected socket, which it takes over.

    Args:
        stream: The socket.
        authority: Who vouches for the server (PEM).
        timeout: Seconds to wait for each next byte.

    Raises:
        OSError: The server does not speak TLS, or (`ssl.SSLCertVerificationError`) is not vouched for.
    """
    stream.settimeout(timeout)
    return SecureStream(context(authority).wrap_socket(stream), timeout)


class SecureStream:
    """What a connection uses of a socket. Where a socket raises `BlockingIOError`, so does this."""

    def __init__(self, stream: ssl.SSLSocket, timeout: float) -> None:
        import ssl

        self._stream = stream
        self._timeout = timeout
        self._would_block = (ssl.SSLWantReadError, ssl.SSLWantWriteError)

    def fileno(self) -> int:
        """For who waits until it can be read or written."""
        return self._stream.fileno()

    def close(self) -> None:
        """Hang up without a farewell: a forked child closes what its parent still uses."""
        self._stream.close()

    def send(self, data: bytes | bytearray | memoryview) -> int:
        """Send some of the bytes, within the timeout."""
        try:
            return self._stream.send(data)
        except TimeoutError as error:
            raise BlockingIOError(str(error)) from error

    def sendmsg(self, views: Sequence[memoryview], ancillary: tuple[()] = (), flags: int = 0) -> int:
        """Send some of the buffers' bytes, as many as go without waiting. Both other arguments are a socket's."""
        # Asked again after it would have waited, OpenSSL wants the same bytes: these are, for the same views.
        piece: memoryview | bytes = views[0][:_RECORD]
        if len(piece) < _RECORD and len(views) > 1:
            joined = bytearray()
            for view in views:
                joined += view[: _RECORD - len(joined)]
                if len(joined) == _RECORD:
                    break
            piece = bytes(joined)
        self._stream.settimeout(0)
        try:
            return self._stream.send(piece)
        except self._would_block as error:
            raise BlockingIOError(str(error)) from error
        finally:
            self._stream.settimeout(self._timeout)

    def recvmsg_into(
        self, buffers: Sequence[bytearray | memoryview], ancillary: int = 0, flags: int = 0
    ) -> tuple[int, None, None, None]:
        """Wait for bytes, into the first of the buffers. Both other arguments are a socket's."""
        try:
            return self._stream.recv_into(buffers[0]), None, None, None
        except TimeoutError as error:
            raise BlockingIOError(str(error)) from error


#: What a connection speaks through.
Stream = socket.socket | SecureStream
