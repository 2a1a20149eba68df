"""How long stripes are, and what a part's environment says of it."""

from __future__ import annotations

import pytest

from wukong.kvs.access import Access
from wukong.kvs.striping import Striping

MIB = 1 << 20


@pytest.mark.parametrize(
    ("striping", "nbytes", "stripe"),
    [
        (Striping(), 0, 16 * MIB),
        (Striping(), 10**12, 16 * MIB),
        (Striping(200_000_000), 10**9, 200_000_000),
        (Striping(50), 10**9, MIB),
        (Striping(10**12), 10**12, 512 * MIB),
        (Striping(16 * MIB, 4), 16 * MIB, 16 * MIB),
        (Striping(16 * MIB, 4), 16 * MIB + 1, 4 * MIB + 1),
        (Striping(16 * MIB, 4), 100_000_001, 25_000_001),
        (Striping(16 * MIB, 1), 10**9, 512 * MIB),
        (Striping(16 * MIB, 1000), 20 * MIB, MIB),
    ],
)
def test_the_bytes_of_a_stripe(striping: Striping, nbytes: int, stripe: int) -> None:
    assert striping.stripe(nbytes) == stripe


def test_a_part_is_told_by_its_environment() -> None:
    assert Access.read({}) == Access("")
    assert Access.read({"WUKONG_STORE_PASSWORD": "secret"}) == Access("secret", "", Striping(16 * MIB, 0))
    told = {
        "WUKONG_STORE_PASSWORD": "secret",
        "WUKONG_KVS_AUTH": "0",
        "WUKONG_KVS_NAMESPACE": "5f1c02aa:",
        "WUKONG_STRIPE_BYTES": "2000000",
        "WUKONG_STRIPES": "3",
    }
    assert Access.read(told) == Access("", "5f1c02aa:", Striping(2_000_000, 3))
