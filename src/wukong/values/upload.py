"""Writes a value to the KVS while its bytes arrive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256

from wukong.errors import ValueRefused
from wukong.kvs.store import Place
from wukong.kvs.writer import Writer
from wukong.redis.command import Buffer
from wukong.values.codec import padding
from wukong.values.manifest import CARRIED, Manifest


class Upload:
    """Takes the pickle and then the buffers of one value, without padding, in pieces of any size.

    Pieces are not copied; they must not change before `close` has returned.

    Args:
        writer: Writes the stream.
        place: Where it writes it to.
        pickle_length: The bytes of the pickle.
        lengths: The bytes of each buffer.
        sign: Makes the mark from the manifest.
    """

    def __init__(
        self,
        writer: Writer,
        place: Place,
        pickle_length: int,
        lengths: Sequence[int],
        sign: Callable[[Manifest], bytes],
    ) -> None:
        self._writer = writer
        self._place = place
        self._parts = [pickle_length, *lengths]
        self._sign = sign
        self._carried: bytearray | None = bytearray() if pickle_length <= CARRIED else None
        self._digest = sha256()
        #: The part that the next byte belongs to, and how much of it is here.
        self._at = 0
        self._done = 0
        self._skip_finished()

    def write(self, data: Buffer) -> None:
        """Take the next bytes.

        Raises:
            ValueRefused: There are more than the lengths say.
            StoreFull, ClusterUnavailable: They cannot be stored.
        """
        view = memoryview(data)
        while len(view):
            if self._at == len(self._parts):
                raise ValueRefused(
                    f"the value {self._place.name!r} of {self._place.owner!r} has more bytes than announced"
                )
            piece = view[: self._parts[self._at] - self._done]
            view = view[len(piece) :]
            self._done += len(piece)
            if self._at:
                self._writer.write(piece)
            elif self._carried is not None:
                self._carried += piece
            else:
                self._digest.update(piece)
                self._writer.write(piece)
            self._skip_finished()

    def close(self) -> bytes:
        """Finish; returns the mark of the value, which can be read now.

        Raises:
            ValueRefused: Bytes are missing.
            StoreFull, ClusterUnavailable: They cannot be stored.
        """
        if self._at < len(self._parts):
            raise ValueRefused(
                f"the value {self._place.name!r} of {self._place.owner!r} has fewer bytes than announced"
            )
        self._writer.close()
        owner, name, token, _ = self._place
        carried = self._carried
        return self._sign(
            Manifest(
                owner,
                name,
                token,
                self._parts[0],
                self._parts[1:],
                None if carried is None else bytes(carried),
                self._digest.digest() if carried is None else b"",
            )
        )

    def _skip_finished(self) -> None:
        while self._at < len(self._parts) and self._done == self._parts[self._at]:
            if self._at or self._carried is None:
                self._writer.write(padding(self._done))
            self._at += 1
            self._done = 0
