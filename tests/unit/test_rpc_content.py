import hashlib
import struct

import numpy as np
import pytest

from wukong.rpc.content import ContentHash, content_hash


def test_it_is_what_the_proto_says() -> None:
    expected = hashlib.sha256(struct.pack("<QQQQ", 3, 2, 2, 0) + b"abc" + b"de").hexdigest()
    assert content_hash(b"abc", [b"de", b""]) == expected


def test_pieces_give_the_same_hash() -> None:
    content = ContentHash(3, [2])
    for piece in (b"a", b"bcd", memoryview(b"e")):
        content.update(piece)
    assert content.hexdigest() == content_hash(b"abc", [b"de"])


@pytest.mark.parametrize(
    ("pickle", "buffers"),
    [(b"abcde", []), (b"abc", [b"d", b"e"]), (b"abc", [b"de", b""]), (b"ab", [b"cde"]), (b"abc", [b"df"])],
)
def test_where_the_bytes_are_cut_matters(pickle: bytes, buffers: list[bytes]) -> None:
    assert content_hash(pickle, buffers) != content_hash(b"abc", [b"de"])


def test_lengths_are_those_in_bytes() -> None:
    array = np.arange(6, dtype=np.float64).reshape(2, 3)
    assert content_hash(b"", [array.data]) == content_hash(b"", [array.tobytes()])
