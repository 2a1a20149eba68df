"""What the proxy sends of a stored value was verified, also when the store changes while it is sent."""

import numpy as np
import pytest

from wukong.errors import ValueRefused
from wukong.kvs.striping import STRIPE
from wukong.testing.kvs import MemoryKvs
from wukong.values.codec import Packed
from wukong.values.download import Download
from wukong.values.signing import Signer
from wukong.values.values import Values


class FickleKvs(MemoryKvs):
    """Gives other bytes than were stored, once it was told to."""

    def __init__(self) -> None:
        super().__init__()
        self.fickle = False

    def read(self, owner: str, name: str, token: str, nbytes: int, offset: int, length: int) -> memoryview:
        part = super().read(owner, name, token, nbytes, offset, length)
        if self.fickle:
            part[0] ^= 1
        return part


@pytest.fixture
def kvs() -> FickleKvs:
    return FickleKvs()


def download(kvs: MemoryKvs, pickle: bytes, buffers: list[bytes]) -> Download:
    values = Values(kvs, Signer(bytes(32)))
    views = [memoryview(buffer) for buffer in buffers]
    mark = values.store("j", "0", Packed(pickle, views, 0), "t", 60.0)
    return values.download("j", "0", mark)


def bytes_of(seed: int, count: int) -> bytes:
    return np.random.default_rng(seed).bytes(count)


def test_a_pickle_of_several_stripes_is_read_from_anywhere(kvs: FickleKvs) -> None:
    pickle, buffers = bytes_of(1, 2 * STRIPE + 77), [bytes_of(2, 5000), b"", bytes_of(3, 65)]
    whole = pickle + b"".join(buffers)
    found = download(kvs, pickle, buffers)
    assert found.total == len(whole)
    ends = [0, 1, STRIPE - 1, STRIPE, 2 * STRIPE + 76, 2 * STRIPE + 77, len(whole) - 66, len(whole) - 1, len(whole)]
    for offset in ends:
        for length in (1, 1000, STRIPE + 1):
            assert found.read(offset, length) == whole[offset : offset + length], (offset, length)


def test_a_large_pickle_that_changes_after_it_was_verified_is_not_given(kvs: FickleKvs) -> None:
    pickle = bytes_of(1, 2 * STRIPE + 77)
    found = download(kvs, pickle, [])
    assert found.read(0, 10) == pickle[:10]
    kvs.fickle = True
    assert found.read(STRIPE - 10, 10) == pickle[STRIPE - 10 : STRIPE]  # verified, and still held
    with pytest.raises(ValueRefused, match="was changed in the KVS"):
        found.read(STRIPE, 10)


def test_a_pickle_of_one_stripe_is_read_once(kvs: FickleKvs) -> None:
    pickle = bytes_of(1, STRIPE)
    found = download(kvs, pickle, [])
    kvs.fickle = True
    assert found.read(0, 2 * STRIPE) == pickle


def test_a_pickle_that_is_not_the_signed_one_is_refused(kvs: FickleKvs) -> None:
    kvs.fickle = True
    with pytest.raises(ValueRefused, match="was changed in the KVS"):
        download(kvs, bytes_of(1, 5000), [])
