import random

import pytest
from wukong_kvs_proxy.intake import Intake

from wukong.errors import ValueRefused
from wukong.rpc.content import content_hash
from wukong.values.codec import padded
from wukong.values.manifest import digest

SHAPES = [
    (b"p" * 10, [b"a" * 5000, b"b" * 64, b"c"]),
    (b"p" * 1024, []),
    (b"p" * 1025, []),
    (b"p" * 3000, [b"", b"x" * 100, b""]),
    (b"", [b"x" * 63, b"y" * 65]),
    (b"p", [b""]),
    (b"", []),
]


def take_in(pickle: bytes, buffers: list[bytes], step: int) -> tuple[Intake, bytes]:
    intake = Intake(content_hash(pickle, buffers), len(pickle), [len(buffer) for buffer in buffers])
    value = pickle + b"".join(buffers)
    stream = [bytes(p) for start in range(0, len(value), step) for p in intake.take(value[start : start + step])]
    stream += [bytes(piece) for piece in intake.finish()]
    return intake, b"".join(stream)


@pytest.mark.parametrize(("pickle", "buffers"), SHAPES)
@pytest.mark.parametrize("step", [1, 7, 64, 100_000])
def test_the_stream_is_the_one_that_executors_write(pickle: bytes, buffers: list[bytes], step: int) -> None:
    intake, stream = take_in(pickle, buffers, step)
    carried = len(pickle) <= 1024
    assert stream == b"".join(map(bytes, padded(buffers if carried else [pickle, *buffers])))
    assert intake.stream_nbytes == len(stream)
    manifest = intake.manifest("in:h", "value", "t")
    assert (manifest.owner, manifest.name, manifest.token) == ("in:h", "value", "t")
    assert manifest.pickle_length == len(pickle)
    assert list(manifest.lengths) == [len(buffer) for buffer in buffers]
    assert manifest.pickle == (pickle if carried else None)
    assert manifest.digest == (b"" if carried else digest([pickle]))
    assert manifest.place().nbytes == len(stream)


def test_random_shapes_cut_anywhere() -> None:
    chance = random.Random(1)
    for _ in range(200):
        pickle = chance.randbytes(chance.choice([0, 1, 1024, 1025, 4000]))
        buffers = [chance.randbytes(chance.choice([0, 1, 63, 64, 65, 300])) for _ in range(chance.randrange(5))]
        _, stream = take_in(pickle, buffers, chance.randrange(1, 200))
        parts = buffers if len(pickle) <= 1024 else [pickle, *buffers]
        assert stream == b"".join(map(bytes, padded(parts)))


def test_more_bytes_than_announced_are_refused() -> None:
    intake = Intake(content_hash(b"p", [b"bb"]), 1, [2])
    with pytest.raises(ValueRefused, match="more bytes than it announced"):
        intake.take(b"pbbb")


def test_fewer_bytes_than_announced_are_refused() -> None:
    intake = Intake(content_hash(b"p", [b"bb", b"ccc"]), 1, [2, 3])
    intake.take(b"pb")
    with pytest.raises(ValueRefused, match="ended 4 bytes before"):
        intake.finish()


def test_other_bytes_than_the_hash_says_are_refused() -> None:
    intake = Intake(content_hash(b"p", [b"bb"]), 1, [2])
    intake.take(b"pbx")
    with pytest.raises(ValueRefused, match="has the hash"):
        intake.finish()


def test_a_hash_of_bytes_cut_otherwise_is_refused() -> None:
    intake = Intake(content_hash(b"pb", [b"b"]), 1, [2])
    intake.take(b"pbb")
    with pytest.raises(ValueRefused, match="has the hash"):
        intake.finish()
