"""Commands as Redis reads them (RESP2), encoded without copying what is large.

A command is an array of byte strings. Small arguments are joined into one buffer, since a copy of a few
kilobytes is cheaper than another entry for the kernel to look at; an argument of `LARGE` bytes or more stays
the caller's buffer and is handed to the kernel where it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import hiredis

#: Contiguous bytes that somebody else holds.
Buffer = bytes | bytearray | memoryview

#: Bytes from which an argument is sent from where it is, without a copy.
LARGE = 16 * 1024


class Gather:
    """One argument made of several buffers, which are sent one after the other and never joined."""

    __slots__ = ("buffers", "nbytes")

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        views = (memoryview(buffer) for buffer in buffers)
        self.buffers = [view.cast("B") for view in views if view.nbytes]
        self.nbytes = sum(buffer.nbytes for buffer in self.buffers)


Arg = str | bytes | bytearray | memoryview | int | float | Gather


def encode(command: tuple[Arg, ...]) -> bytes | list[Buffer]:
    """The bytes of one command, or the buffers to send in turn where it has an argument that is large.

    Raises:
        TypeError: For an argument that is none of `Arg`.
    """
    return _packed(command) if _is_small(command) else encode_all([command])


def encode_all(commands: Sequence[Sequence[Arg]]) -> list[Buffer]:
    """The buffers of a pipeline: what is small joined, large arguments apart."""
    buffers: list[Buffer] = []
    small: list[Buffer] = []
    for command in commands:
        command = tuple(command)
        if _is_small(command):
            small.append(_packed(command))
        else:
            _scatter(command, small, buffers)
    if small:
        buffers.append(b"".join(small))
    return buffers


def _is_small(command: tuple[Arg, ...]) -> bool:
    for argument in command:
        kind = type(argument)
        if kind is str or kind is int or kind is float:
            continue
        if kind is bytes and len(argument) < LARGE:  # type: ignore[arg-type]
            continue
        return False
    return True


def _packed(command: tuple[Arg, ...]) -> bytes:
    packed: bytes = hiredis.pack_command(command)
    return packed


def _scatter(command: tuple[Arg, ...], small: list[Buffer], buffers: list[Buffer]) -> None:
    """Append a command to the buffers; its end, which is small, to what will be joined next."""
    small.append(b"*%d\r\n" % len(command))
    for argument in command:
        parts, nbytes = _parts(argument)
        small.append(b"$%d\r\n" % nbytes)
        for part in parts:
            if len(part) < LARGE:
                small.append(part)
            else:
                if small:
                    buffers.append(b"".join(small))
                    small.clear()
                buffers.append(part)
        small.append(b"\r\n")


def _parts(argument: Arg) -> tuple[Sequence[bytes | memoryview], int]:
    if isinstance(argument, Gather):
        return argument.buffers, argument.nbytes
    if isinstance(argument, bytes):
        return (argument,), len(argument)
    if isinstance(argument, bytearray | memoryview):
        gather = Gather((argument,))
        return gather.buffers, gather.nbytes
    if isinstance(argument, str):
        text = argument.encode()
    elif isinstance(argument, int | float) and not isinstance(argument, bool):
        text = repr(argument).encode()
    else:
        raise TypeError(f"{argument!r} of type {type(argument).__name__} cannot be an argument of a Redis command")
    return (text,), len(text)
