"""Signatures hold for one key, one context and one cut of the bytes."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from wukong.errors import ValueRefused
from wukong.values.signing import SIZE, Signer

KEY = bytes(range(32))


def test_a_signature_verifies() -> None:
    signer = Signer(KEY)
    signature = signer.sign("value:job:x", b"one", bytearray(b"two"), memoryview(b"three"))
    assert len(signature) == SIZE
    Signer(KEY).verify("value:job:x", signature, b"one", b"two", b"three")
    Signer(KEY).verify("value:job:x", memoryview(signature), b"one", b"two", b"three")


def test_the_signature_is_what_its_description_says() -> None:
    message = (1).to_bytes(8, "little") + b"c" + hashlib.sha256(b"x").digest()
    assert Signer(KEY).sign("c", b"x") == hmac.new(KEY, message, "sha256").digest()


@pytest.mark.parametrize(
    ("context", "parts"),
    [
        ("value:job:y", [b"one", b"two"]),
        ("value:job:x", [b"one", b"twO"]),
        ("value:job:x", [b"onet", b"wo"]),
        ("value:job:x", [b"onetwo"]),
        ("value:job:x", [b"one", b"two", b""]),
        ("value:job:x", [b"two", b"one"]),
    ],
)
def test_anything_else_is_refused(context: str, parts: list[bytes]) -> None:
    signature = Signer(KEY).sign("value:job:x", b"one", b"two")
    with pytest.raises(ValueRefused, match=context):
        Signer(KEY).verify(context, signature, *parts)


@pytest.mark.parametrize("signature", [b"", bytes(SIZE), bytes(SIZE + 1)])
def test_a_wrong_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(ValueRefused):
        Signer(KEY).verify("c", signature, b"x")


def test_another_key_is_refused() -> None:
    with pytest.raises(ValueRefused, match="WUKONG_SIGNING_KEY"):
        Signer(bytes(32)).verify("c", Signer(KEY).sign("c", b"x"), b"x")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16"):
        Signer(b"short")
