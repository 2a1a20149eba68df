"""Commands are encoded as RESP2 says, and large arguments stay where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wukong.redis.command import LARGE, Arg, Buffer, Gather, encode, encode_all


def joined(command: tuple[Arg, ...]) -> bytes:
    encoded = encode(command)
    return encoded if isinstance(encoded, bytes) else b"".join(encoded)


def expected(*arguments: bytes) -> bytes:
    return b"*%d\r\n" % len(arguments) + b"".join(b"$%d\r\n%s\r\n" % (len(a), a) for a in arguments)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(max_size=50) | st.just(bytes(LARGE)) | st.integers() | st.text(max_size=9), min_size=1),
    st.sampled_from([bytes, bytearray, memoryview, lambda data: Gather([data[:7], data[7:]])]),
)
def test_any_arguments_arrive(arguments: list[bytes | int | str], form: type) -> None:
    plain = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
    given_ = tuple(form(a) if isinstance(a, bytes) else a for a in arguments)
    assert joined(("SET", *given_)) == expected(b"SET", *plain)
    assert b"".join(encode_all([("SET", *given_), ("PING",)])) == expected(b"SET", *plain) + expected(b"PING")


def test_floats_keep_their_precision() -> None:
    assert joined(("X", 0.1, 1e300)) == joined(("X", memoryview(b"0.1"), b"1e+300"))


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_a_large_argument_is_not_copied(form: type) -> None:
    data = form(bytes(LARGE))
    encoded = encode(("SET", "key", data, "EX", 5))
    assert not isinstance(encoded, bytes)
    assert len(encoded) == 3
    assert np.shares_memory(np.frombuffer(encoded[1], np.uint8), np.frombuffer(data, np.uint8))


def test_a_gather_is_not_joined() -> None:
    parts: list[Buffer] = [bytes(LARGE), bytearray(LARGE), b"small", np.arange(10_000).data, b""]
    gather = Gather(parts)
    assert gather.nbytes == 2 * LARGE + 5 + 80_000
    encoded = encode(("SET", "key", gather))
    large = [part for part in encoded if len(part) >= LARGE]  # type: ignore[arg-type]
    assert len(large) == 3
    assert b"".join(encoded) == expected(b"SET", b"key", b"".join(gather.buffers))  # type: ignore[arg-type]


def test_small_commands_of_a_pipeline_are_one_buffer() -> None:
    assert len(encode_all([("INCR", str(n)) for n in range(1000)])) == 1
    assert len(encode_all([("INCR", "n"), ("SET", "k", bytes(LARGE)), ("INCR", "n"), ("INCR", "n")])) == 3


@pytest.mark.parametrize("argument", [None, True, [1], object()])
def test_other_types_are_refused(argument: object) -> None:
    for others in ((), (bytes(LARGE),)):
        with pytest.raises(TypeError, match=r"str|int|float|bytes|Redis"):
            encode(("SET", "key", argument, *others))  # type: ignore[arg-type]
