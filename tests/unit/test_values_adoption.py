"""Values of one job as inputs of another: signed anew for that, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from wukong.errors import ValueRefused
from wukong.testing.kvs import MemoryKvs
from wukong.values.adoption import adopt
from wukong.values.signing import Signer
from wukong.values.values import Values

SIGNER = Signer(bytes(32))
SOURCE, TARGET = ("job-a", "3"), ("job-b", "0")


@pytest.fixture
def values() -> Values:
    return Values(MemoryKvs(), SIGNER)


@pytest.fixture(params=["inline", "stored"])
def mark(request: pytest.FixtureRequest, values: Values) -> bytes:
    packed = values.pack(np.arange(5000.0))
    if request.param == "inline":
        return values.inline(*SOURCE, packed)
    return values.store(*SOURCE, packed, "token", 60)


def test_an_adopted_value_is_read_under_its_new_name_only(values: Values, mark: bytes) -> None:
    adopted = adopt(SIGNER, mark, SOURCE, TARGET)
    np.testing.assert_array_equal(values.load(*TARGET, adopted), np.arange(5000.0))
    for other in (("job-b", "1"), ("job-c", "0"), ("job-a", "4")):
        with pytest.raises(ValueRefused):
            values.load(*other, adopted)
    with pytest.raises(ValueRefused):
        values.load(*TARGET, mark)


def test_only_the_value_that_is_named_is_adopted(mark: bytes) -> None:
    with pytest.raises(ValueRefused):
        adopt(SIGNER, mark, ("job-a", "4"), TARGET)
    with pytest.raises(ValueRefused):
        adopt(Signer(bytes(range(32))), mark, SOURCE, TARGET)
    with pytest.raises(ValueRefused, match="malformed"):
        adopt(SIGNER, mark[:40], SOURCE, TARGET)


def test_scalars_are_anybodys(values: Values) -> None:
    mark = values.inline(*SOURCE, values.pack(17))
    assert adopt(SIGNER, mark, SOURCE, TARGET) == mark


def test_parts_of_bundles_stay(values: Values) -> None:
    items = [(str(number), values.pack(np.arange(3000.0))) for number in range(2)]
    (mark, _) = values.bundle("job-a", items, "token", 60)
    with pytest.raises(ValueRefused, match="bundle"):
        adopt(SIGNER, mark, ("job-a", "0"), TARGET)
