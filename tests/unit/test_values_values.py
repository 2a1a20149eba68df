"""Values in and out of a store in memory: whole, piece by piece, and refused when anything is not as it was."""

from __future__ import annotations

import pickle
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wukong.errors import ValueRefused
from wukong.kvs.store import ValueMissing
from wukong.kvs.striping import STRIPE
from wukong.testing.kvs import MemoryKvs
from wukong.values import codec
from wukong.values.download import Download
from wukong.values.mark import json_mark
from wukong.values.receiver import Receiver
from wukong.values.signing import Signer
from wukong.values.values import Values

KEY = bytes(range(32))
MINUTE = 60.0

rng = np.random.default_rng(0)
SAMPLES: dict[str, Any] = {
    "none": None,
    "int": 17,
    "small array": np.arange(10.0),
    "array": np.arange(5000.0),
    "arrays": [np.arange(n) for n in (1, 1000, 777, 5000)],
    "large pickle": {n: str(n) for n in range(5000)},
    "large pickle and arrays": [
        {n: str(n) for n in range(5000)},
        np.arange(3001, dtype="i2"),
        np.arange(4097, dtype="i1"),
    ],
    "bytes": rng.bytes(100_001),
    "stripes": rng.bytes(STRIPE + 12345),
}


@pytest.fixture
def kvs() -> MemoryKvs:
    return MemoryKvs()


@pytest.fixture
def values(kvs: MemoryKvs) -> Values:
    return Values(kvs, Signer(KEY))


def same(left: Any, right: Any) -> bool:
    return pickle.dumps(left) == pickle.dumps(right)


@pytest.mark.parametrize("sample", SAMPLES)
def test_values_come_back_from_both_places(values: Values, sample: str) -> None:
    value = SAMPLES[sample]
    packed = values.pack(value)
    inline = values.inline("job", "x", packed)
    stored = values.store("job", "x", packed, "token", MINUTE)
    for mark in (inline, stored):
        assert same(values.load("job", "x", mark), value)
        assert packed.nbytes <= values.nbytes(mark) <= packed.nbytes + 100
    assert len(stored) < 2000


def test_scalars_are_carried_without_pickle_or_store(values: Values, kvs: MemoryKvs) -> None:
    packed = values.pack("text")
    assert values.inline("job", "x", packed) == values.store("job", "x", packed, "t", MINUTE) == b"Stext"
    assert kvs.keys() == []


def test_a_small_pickle_stays_in_the_manifest(values: Values, kvs: MemoryKvs) -> None:
    mark = values.store("job", "x", values.pack(np.arange(10)), "t", MINUTE)
    assert kvs.keys() == []
    assert same(values.load("job", "x", mark), np.arange(10))
    values.store("job", "x", values.pack(np.arange(1024)), "t", MINUTE)
    assert kvs.counters().bytes_written == 8192


def test_received_arrays_can_be_written_to(values: Values) -> None:
    for size in (3, 300, 30_000):
        for mark in (
            values.inline("job", "x", values.pack(np.arange(size))),
            values.store("job", "x", values.pack(np.arange(size)), "t", MINUTE),
        ):
            array: Any = values.load("job", "x", mark)
            array += 1
            assert array[0] == 1


def test_many_come_in_one_round_trip_and_in_order(values: Values, kvs: MemoryKvs) -> None:
    items = []
    for number in range(50):
        packed = values.pack([number, np.full(1000 * (number % 3), number)])
        mark = values.inline("job", str(number), packed)
        if number % 3:
            mark = values.store("job", str(number), packed, "t", MINUTE)
        items.append(("job", str(number), mark))
    before = kvs.counters().round_trips
    found: list[Any] = values.load_many(items)
    assert kvs.counters().round_trips == before + 1
    assert [entry[0] for entry in found] == list(range(50))
    assert all((entry[1] == number).all() for number, entry in enumerate(found))


def test_an_uploaded_input_is_any_jobs(values: Values) -> None:
    mark = values.store("in:abc", "value", values.pack(np.arange(1000)), "t", MINUTE)
    assert same(values.load("job", "7", mark), np.arange(1000))


def test_json_comes_back(values: Values) -> None:
    assert values.load("job", "x", json_mark({"a": [1, 2]})) == {"a": [1, 2]}


@pytest.mark.parametrize("make", [Values.inline, lambda v, o, n, p: v.store(o, n, p, "t", MINUTE)], ids=["P", "M"])
@pytest.mark.parametrize("value", [np.arange(1000), {n: str(n) for n in range(500)}], ids=["buffer", "pickle"])
class TestRefused:
    def test_the_mark_of_another_value(self, values: Values, make: Callable[..., bytes], value: object) -> None:
        mark = make(values, "job", "x", values.pack(value))
        for owner, name in (("job", "y"), ("job2", "x")):
            with pytest.raises(ValueRefused):
                values.load(owner, name, mark)

    def test_the_mark_of_another_cluster(self, values: Values, make: Callable[..., bytes], value: object) -> None:
        mark = make(Values(values.kvs, Signer(bytes(32))), "job", "x", values.pack(value))
        with pytest.raises(ValueRefused, match="signature"):
            values.load("job", "x", mark)

    def test_any_changed_byte_of_what_is_unpickled(
        self, values: Values, make: Callable[..., bytes], value: object
    ) -> None:
        packed = values.pack(value)
        mark = make(values, "job", "x", packed)
        # Buffers are data: they cannot do harm, and are not signed.
        signed = len(mark) - sum(packed.lengths()) if mark[:1] == b"P" else len(mark)
        for at in range(1, signed, 1 + signed // 150):
            bad = bytearray(mark)
            bad[at] ^= 0x41
            with pytest.raises(ValueRefused):
                values.load("job", "x", bytes(bad))

    def test_a_mark_that_was_cut(self, values: Values, make: Callable[..., bytes], value: object) -> None:
        mark = make(values, "job", "x", values.pack(value))
        for length in range(1, len(mark), 1 + len(mark) // 150):
            with pytest.raises(ValueRefused):
                values.load("job", "x", mark[:length])


@pytest.mark.parametrize("mark", [b"", b"?", b"F123", b"Ix", b"S\xff", b"J{", b"M", b"P", b"F" + bytes(9)])
def test_malformed_marks_are_refused(values: Values, mark: bytes) -> None:
    with pytest.raises(ValueRefused):
        values.load("job", "x", mark)


def test_a_manifest_does_not_pass_for_a_pickle(values: Values) -> None:
    mark = values.store("job", "x", values.pack(np.arange(1000)), "t", MINUTE)
    body = mark[33:]
    forged = b"P" + mark[1:33] + (0).to_bytes(4, "little") + len(body).to_bytes(8, "little") + body
    with pytest.raises(ValueRefused, match="signature"):
        values.load("job", "x", forged)


def test_a_pickle_that_was_changed_in_the_store_is_refused(values: Values, kvs: MemoryKvs) -> None:
    packed = values.pack({n: str(n) for n in range(500)})
    mark = values.store("job", "x", packed, "t", MINUTE)
    evil = bytearray(packed.pickle)
    evil[100] ^= 1
    kvs.put("job", "x", "t", [evil, codec.padding(len(evil))], MINUTE)
    with pytest.raises(ValueRefused, match="changed"):
        values.load("job", "x", mark)
    with pytest.raises(ValueRefused, match="changed"):
        values.download("job", "x", mark)


def test_a_stream_that_was_cut_is_refused(values: Values, kvs: MemoryKvs) -> None:
    mark = values.store("job", "x", values.pack(np.arange(1000)), "t", MINUTE)
    kvs.put("job", "x", "t", [bytes(7999)], MINUTE)
    with pytest.raises(ValueRefused):
        values.load("job", "x", mark)


def test_a_missing_value_is_named(values: Values, kvs: MemoryKvs) -> None:
    mark = values.store("job", "x", values.pack(np.arange(1000)), "t", MINUTE)
    kvs.purge("job")
    with pytest.raises(ValueMissing) as caught:
        values.load("job", "x", mark)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.owner, again.name, str(again)) == ("job", "x", str(caught.value))


STORED = [name for name, value in SAMPLES.items() if codec.pack(value).scalar is None]


@pytest.mark.parametrize("sample", STORED)
@pytest.mark.parametrize("step", [977, 1 << 20])
def test_a_value_uploaded_and_downloaded_in_pieces_is_the_same(values: Values, sample: str, step: int) -> None:
    value = SAMPLES[sample]
    packed = values.pack(value)
    whole = b"".join([packed.pickle, *packed.buffers])
    if len(whole) > 1 << 20:
        step = 1 << 20
    upload = values.upload("job", "x", "t", len(packed.pickle), packed.lengths(), MINUTE)
    for start in range(0, len(whole), step):
        upload.write(whole[start : start + step])
    mark = upload.close()
    assert mark == values.store("job", "x", packed, "t", MINUTE)
    for source in (mark, values.inline("job", "x", packed)):
        assert same(download(values.download("job", "x", source), step), value)


def download(source: Download, step: int) -> object:
    receiver = Receiver(source.pickle_length, source.lengths)
    assert receiver.total == source.total
    while data := source.read(receiver.received, step):
        receiver.write(data)
    return receiver.value()


def test_a_download_can_start_anywhere(values: Values) -> None:
    packed = values.pack(SAMPLES["large pickle and arrays"])
    whole = b"".join([packed.pickle, *packed.buffers])
    mark = values.store("job", "x", packed, "t", MINUTE)
    source = values.download("job", "x", mark)
    ends = [len(packed.pickle), len(packed.pickle) + len(packed.buffers[0]), len(whole)]
    for end in ends:
        for offset in (end - 3, end, end + 3):
            for length in (1, 3, 5, 5000, len(whole)):
                assert source.read(offset, length) == whole[offset : offset + length]


def test_a_scalar_is_not_downloaded(values: Values) -> None:
    with pytest.raises(ValueError, match="the value itself"):
        values.download("job", "x", b"I1")


def test_too_few_and_too_many_bytes_are_refused(values: Values) -> None:
    upload = values.upload("job", "x", "t", 5, [10], MINUTE)
    upload.write(b"12345678")
    with pytest.raises(ValueRefused, match="fewer"):
        upload.close()
    with pytest.raises(ValueRefused, match="more"):
        upload.write(bytes(8))
    receiver = Receiver(5, [10])
    receiver.write(bytes(14))
    with pytest.raises(ValueRefused, match="14"):
        receiver.value()
    with pytest.raises(ValueRefused, match="15"):
        receiver.write(bytes(2))


def test_two_writers_of_one_name_do_not_mix(values: Values) -> None:
    marks = [
        values.store("job", "x", values.pack(np.full(3000, number)), secrets.token_hex(4), MINUTE)
        for number in range(2)
    ]
    for number, mark in enumerate(marks):
        assert same(values.load("job", "x", mark), np.full(3000, number))
