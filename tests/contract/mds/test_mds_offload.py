"""Work given away: pieces, room, and that it happens once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from wukong.mds.records import Record
from wukong.mds.store import Status

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store


def test_a_piece_becomes_a_record(store: Store) -> None:
    store.submit([0, 1, 2])
    parent = store.holder()
    inputs = [(7, b"I7"), (8, b""), (9, "ä\u2603".encode()), (2**32 - 1, b"x" * 100_000)]
    pieces = [Record("ignored", [5, 6, 9], inputs, depth=4), Record("", [2])]
    assert store.mds.offload("job", "0", parent.token, 0, "off-1", 60, pieces) == (Status.OK, 2)
    begun = store.holder("off-1.0").begun
    assert (begun.begins, begun.depth) == (1, 4)
    assert list(begun.entries) == [5, 6, 9]
    assert list(begun.inputs) == inputs
    assert (list(begun.claims), list(begun.given)) == ([], [])
    assert list(store.holder("off-1.1").begun.entries) == [2]
    assert store.info().live_records == 3


def test_only_what_there_is_room_for_is_accepted_from_the_first_on(store: Store) -> None:
    store.submit([0], parallelism=3)
    holder = store.holder()
    assert holder.sync().room == 2
    assert holder.offload("x", [1], [2], [3], [4]) == (Status.OK, 2)
    assert sorted(key for key in store.of_job() if key.startswith("r:")) == ["r:0", "r:x.0", "r:x.1"]
    assert sorted(holder.begin().given) == [1, 2]
    assert holder.sync().room == 0
    assert holder.offload("y", [3], [4]) == (Status.OK, 0)
    assert sorted(holder.begin().given) == [1, 2]
    assert store.holder("x.0").sync(end=True).room == 1
    assert holder.offload("z", [3], [4]) == (Status.OK, 1)
    assert store.info().counters.invocations == 4


def test_room_is_never_negative(store: Store) -> None:
    store.submit([0], [1], [2], parallelism=2)
    holder = store.holder()
    assert holder.sync().room == 0
    assert holder.offload("x", [1]) == (Status.OK, 0)


def test_at_the_end_all_are_accepted(store: Store) -> None:
    store.submit([0], parallelism=1)
    holder = store.holder()
    assert holder.offload("x", [1], [2], [3], end=True) == (Status.OK, 3)
    assert sorted(holder.begin().given) == [1, 2, 3]
    assert holder.sync(end=True).ended
    assert store.info().live_records == 3


@pytest.mark.parametrize("parallelism", [1, 2, 9])
def test_the_same_offload_gets_the_same_answer(store: Store, parallelism: int) -> None:
    store.submit([0], parallelism=parallelism)
    holder = store.holder()
    first = holder.offload("x", [1], [2], [3])
    assert first == (Status.OK, min(3, parallelism - 1))
    info, names = store.info(), store.names()
    for _ in range(3):
        assert holder.offload("x", [1], [2], [3]) == first
        assert holder.offload("x", [7], end=True) == first
    assert store.info() == info
    assert store.names() == names


def test_an_offload_that_is_repeated_does_not_bring_back_what_ended(store: Store) -> None:
    store.submit([0])
    holder = store.holder()
    holder.offload("x", [1], [2])
    assert store.holder("x.0").sync(end=True).ended
    assert holder.offload("x", [1], [2]) == (Status.OK, 2)
    assert sorted(key for key in store.of_job() if key.startswith("r:")) == ["r:0", "r:x.1"]
    assert store.stranger("x.0").begin().status is Status.GONE


def test_no_pieces(store: Store) -> None:
    store.submit()
    holder = store.holder()
    assert holder.offload("x") == (Status.OK, 0)
    assert list(holder.begin().given) == []


def test_pieces_of_pieces(store: Store) -> None:
    store.submit([0])
    assert store.holder().offload("a", [1, 2], depth=1) == (Status.OK, 1)
    child = store.holder("a.0")
    assert child.offload("b", [2], depth=2) == (Status.OK, 1)
    grandchild = store.holder("b.0")
    assert (grandchild.begun.depth, list(grandchild.begun.entries)) == (2, [2])
    assert list(child.begin().given) == [2]


def test_large_pieces_in_any_order(store: Store) -> None:
    store.submit()
    entries = [*range(0, 100_000, 2), 1, 3, 5]
    store.holder().offload("x", entries)
    assert list(store.holder("x.0").begun.entries) == entries


def test_many_at_once_do_not_exceed_the_room(store: Store) -> None:
    width, parallelism = 6, 20
    store.submit(*([i] for i in range(width)), parallelism=parallelism)
    holders = [store.holder(str(i)) for i in range(width)]
    accepted: list[int] = []

    def give(i: int) -> None:
        for number in range(10):
            accepted.append(holders[i].offload(f"{i}-{number}", [1], [2], [3])[1])

    threads = [threading.Thread(target=give, args=[i]) for i in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(accepted) == parallelism - width
    assert store.info().live_records == parallelism
