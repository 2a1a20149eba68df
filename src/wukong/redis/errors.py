"""What a Redis can answer that is not a value."""

from __future__ import annotations

from wukong.errors import ClusterUnavailable, WukongError


class ConnectionLost(ClusterUnavailable):
    """The server is not there, went away in the middle, or is only starting: it may be back in a moment."""


class ReplyError(WukongError):
    """An error reply of a Redis: it understood the request and refused it.

    Attributes:
        code: The first word of the reply ("NOSCRIPT", "WRONGTYPE", "OOM", "ERR", ...).
        text: The whole reply.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class MissingKey(WukongError, KeyError):
    """A key that was to be read does not exist.

    Attributes:
        key: Its name.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"the key {key!r} does not exist")
        self.key = key

    __str__ = WukongError.__str__


class WrongSize(WukongError):
    """A key holds more or fewer bytes than the buffer that it was to be read into.

    Attributes:
        key: Its name.
        expected: The bytes that the buffer has.
        found: The bytes that the key holds.
    """

    def __init__(self, key: str, expected: int, found: int) -> None:
        super().__init__(f"the key {key!r} holds {found:,} bytes where {expected:,} were expected")
        self.key = key
        self.expected = expected
        self.found = found
