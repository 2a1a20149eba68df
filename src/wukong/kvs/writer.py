"""Cuts a stream that arrives in pieces into stripes."""

from __future__ import annotations

from collections.abc import Callable

from wukong.errors import ValueRefused
from wukong.redis.command import Buffer


class Writer:
    """Takes the bytes of one stream in pieces of any size, and stores each stripe as soon as it is full.

    Pieces are not copied: a piece must not change until the stripe that it belongs to is stored, at the latest
    until `close` returns. The stream is complete when `close` has returned.

    Args:
        label: What the stream is, for messages.
        nbytes: How long the stream is going to be.
        stripe: The bytes of a stripe.
        store: Stores stripe number n, given as its pieces, which it may not keep.
    """

    def __init__(self, label: str, nbytes: int, stripe: int, store: Callable[[int, list[memoryview]], None]) -> None:
        self._label = label
        self._nbytes = nbytes
        self._stripe = stripe
        self._store = store
        self._pieces: list[memoryview] = []
        self._number = 0
        self._written = 0
        self._held = 0

    def write(self, piece: Buffer) -> None:
        """Take the next bytes of the stream.

        Raises:
            ValueRefused: There are more than were announced.
        """
        view = memoryview(piece)
        if not view.nbytes:
            return
        view = view.cast("B")
        if self._written + len(view) > self._nbytes:
            raise ValueRefused(f"{self._label} has more than the {self._nbytes:,} bytes that were announced")
        self._written += len(view)
        while (room := self._stripe - self._held) <= len(view):
            self._pieces.append(view[:room])
            self._flush()
            view = view[room:]
        if view:
            self._pieces.append(view)
            self._held += len(view)

    def close(self) -> None:
        """Store what is left.

        Raises:
            ValueRefused: There were fewer bytes than announced; the value cannot be read.
        """
        if self._written != self._nbytes:
            raise ValueRefused(
                f"{self._label} was announced with {self._nbytes:,} bytes and ended after {self._written:,}"
            )
        if self._pieces:
            self._flush()

    def _flush(self) -> None:
        pieces, self._pieces = self._pieces, []
        self._held = 0
        self._store(self._number, pieces)
        self._number += 1
