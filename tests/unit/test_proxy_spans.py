import itertools
import random

import pytest
from wukong_kvs_proxy.spans import Spans

from wukong.values.codec import padded


@pytest.mark.parametrize("lengths", [[], [0], [1], [64], [65, 0, 0, 63], [0, 0, 5], [1000, 1, 1, 1]])
def test_every_offset_and_window_gives_the_value_without_padding(lengths: list[int]) -> None:
    parts = [bytes([65 + number]) * length for number, length in enumerate(lengths)]
    value, stream = b"".join(parts), b"".join(map(bytes, padded(parts)))
    spans = Spans(lengths)
    assert (spans.nbytes, spans.stream_nbytes) == (len(value), len(stream))
    for offset, size in itertools.product([0, 1, 5, 63, 64, 65, len(value)], [1, 10, 64, 5000]):
        at, read = spans.place(offset), b""
        while at < spans.stream_nbytes:
            window = memoryview(stream)[at : at + size]
            read += b"".join(spans.content(window, at))
            at += len(window)
        assert read == value[offset:]


def test_many_random_parts() -> None:
    chance = random.Random(2)
    parts = [chance.randbytes(chance.randrange(200)) for _ in range(300)]
    value, stream = b"".join(parts), b"".join(map(bytes, padded(parts)))
    spans = Spans([len(part) for part in parts])
    for _ in range(300):
        offset = chance.randrange(len(value))
        at = spans.place(offset)
        assert stream[at] == value[offset]
        assert b"".join(spans.content(memoryview(stream)[at:], at)) == value[offset:]
