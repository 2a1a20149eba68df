"""Signatures: what is unpickled was written by somebody who holds the cluster's key."""

from __future__ import annotations

import hmac
from hashlib import sha256

from wukong.errors import ValueRefused
from wukong.redis.command import Buffer

#: Bytes of a signature.
SIZE = 32


class Signer:
    """Signs and verifies bytes in a context with HMAC-SHA256.

    The context says what the bytes are for, so that signed bytes are refused anywhere else.

    Args:
        key: The cluster's secret, 16 bytes or more.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:
            raise ValueError(f"a signing key of {len(key)} bytes is too short; give 16 or more")
        self._key = key

    def sign(self, context: str, *parts: Buffer) -> bytes:
        """The signature, 32 bytes, of the parts one by one: moving a byte from one to the next changes it."""
        name = context.encode()
        message = [len(name).to_bytes(8, "little"), name]
        message += [sha256(part).digest() for part in parts]
        return hmac.digest(self._key, b"".join(message), "sha256")

    def verify(self, context: str, signature: Buffer, *parts: Buffer) -> None:
        """Return if the signature is that of the parts.

        Raises:
            ValueRefused: It is not.
        """
        if not hmac.compare_digest(self.sign(context, *parts), bytes(signature)):
            raise ValueRefused(
                f"the signature of {context!r} is not this cluster's: it was changed in the store, or written "
                "with another WUKONG_SIGNING_KEY. It was not unpickled."
            )
