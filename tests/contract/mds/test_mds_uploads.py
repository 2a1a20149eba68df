"""What is uploaded ahead of jobs, the inputs that jobs hold, and rings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wukong.kvs.keys import upload_owner
from wukong.kvs.ring import Node, Ring

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Store

HASH, OTHER = "a" * 64, "b" * 64


# Pages.


def test_uploads_come_back_in_the_order_asked(store: Store) -> None:
    data = bytes(range(256)) * 10_000
    store.mds.put_upload(HASH, data, 60)
    store.mds.put_upload(OTHER, b"", 60)
    assert store.mds.uploads([OTHER, "c" * 64, HASH, HASH]) == [b"", None, data, data]
    assert store.mds.uploads([]) == []
    assert store.names() == [f"w:up:{HASH}", f"w:up:{OTHER}"]


def test_an_upload_goes_in_time_and_comes_again(store: Store) -> None:
    store.mds.put_upload(HASH, b"x", 0.05)
    store.mds.put_upload(OTHER, b"y", 60)
    store.eventually(lambda: store.mds.uploads([HASH]) == [None])
    assert store.names() == [f"w:up:{OTHER}"]
    store.mds.put_upload(HASH, b"x", 0.05)
    store.mds.put_upload(HASH, b"x", 60)
    assert store.mds.uploads([HASH]) == [b"x"]


# Inputs.


def owner(number: int, content: str = HASH) -> str:
    """The owner of one upload."""
    return upload_owner(content, f"{number:016x}")


def test_an_input_is_placed_once_and_held_by_many(store: Store) -> None:
    mds = store.mds
    assert mds.hold_input(HASH, "one", 60) is None
    assert store.names() == []
    mds.place_input(HASH, "one", b"M somewhere", owner(1), 100)
    assert mds.hold_input(HASH, "two", 60) == b"M somewhere"
    assert mds.hold_input(HASH, "two", 60) == b"M somewhere"
    assert store.names() == [f"w:in:{HASH}", "w:one:i", "w:two:i"]
    assert mds.drop_inputs("one") == []
    assert mds.drop_inputs("one") == []
    assert mds.hold_input(HASH, "three", 60) == b"M somewhere"
    assert mds.drop_inputs("two") == []
    assert mds.drop_inputs("three") == [owner(1)]
    assert mds.hold_input(HASH, "four", 60) is None
    assert store.names() == ["w:three:i"]
    mds.forget_inputs("three")
    assert mds.drop_inputs("three") == []
    assert store.names() == []


def test_what_is_freed_is_told_again_until_it_is_purged(store: Store) -> None:
    """Whoever releases a job may die after it was told, or never hear the answer."""
    mds = store.mds
    mds.place_input(HASH, "job", b"M", owner(1), 60)
    mds.place_input(OTHER, "job", b"M", owner(2, OTHER), 60)
    mds.hold_input(OTHER, "other", 50)
    store.submit(inputs=[HASH, OTHER])
    assert mds.drop_inputs("job") == [owner(1)]
    assert mds.drop_inputs("other") == [owner(2, OTHER)]
    assert mds.drop_inputs("job") == [owner(1)]
    assert store.lasting() == []
    mds.purge("job", 60)
    assert mds.drop_inputs("job") == []
    assert mds.drop_inputs("other") == [owner(2, OTHER)]
    mds.forget_inputs("other")
    mds.forget_inputs("other")
    assert mds.drop_inputs("other") == []
    assert store.of_job() == ["m"]


def test_what_is_freed_is_the_upload_and_not_the_content(store: Store) -> None:
    """Between a drop and the purge after it, somebody finds the input unknown and uploads it again."""
    store.mds.place_input(HASH, "one", b"M first", owner(1), 100)
    freed = store.mds.drop_inputs("one")
    assert store.mds.hold_input(HASH, "two", 60) is None
    store.mds.place_input(HASH, "two", b"M second", owner(2), 100)
    assert freed == [owner(1)]
    assert store.mds.hold_input(HASH, "three", 60) == b"M second"
    assert store.mds.drop_inputs("two") == []
    assert store.mds.drop_inputs("three") == [owner(2)]


def test_an_input_that_would_expire_too_soon_is_not_held(store: Store) -> None:
    store.mds.place_input(HASH, "one", b"M", owner(1), 100)
    assert store.mds.hold_input(HASH, "two", 200) is None
    assert store.names() == [f"w:in:{HASH}", "w:one:i"]
    assert store.mds.drop_inputs("two") == []
    assert store.mds.drop_inputs("one") == [owner(1)]


def test_an_input_that_is_placed_again_for_longer_is_the_new_one(store: Store) -> None:
    store.mds.place_input(HASH, "one", b"M old", owner(1), 100)
    store.mds.place_input(HASH, "two", b"M new", owner(2), 500)
    assert store.mds.hold_input(HASH, "three", 400) == b"M new"
    assert store.mds.drop_inputs("two") == []
    assert store.mds.drop_inputs("three") == []
    assert sorted(store.mds.drop_inputs("one")) == [owner(1), owner(2)]


def test_an_input_that_is_placed_again_for_less_keeps_its_life(store: Store) -> None:
    """Two jobs upload one value at the same time, since neither found it."""
    store.mds.place_input(HASH, "one", b"M long", owner(1), 500)
    store.mds.place_input(HASH, "two", b"M short", owner(2), 0.05)
    assert store.mds.hold_input(HASH, "three", 400) == b"M long"
    assert store.mds.drop_inputs("one") == []
    assert store.mds.drop_inputs("three") == []
    assert sorted(store.mds.drop_inputs("two")) == [owner(1), owner(2)]


def test_an_input_that_is_lost_is_unknown_until_it_is_placed_again(store: Store) -> None:
    store.mds.place_input(HASH, "one", b"first", owner(1), 100)
    store.mds.lose_input(HASH, b"another")
    assert store.mds.hold_input(HASH, "two", 50) == b"first"
    store.mds.lose_input(HASH, b"first")
    assert store.mds.hold_input(HASH, "three", 50) is None
    store.mds.place_input(HASH, "three", b"second", owner(2), 60)
    assert store.mds.hold_input(HASH, "one", 50) == b"second"
    assert store.mds.drop_inputs("three") == store.mds.drop_inputs("two") == []
    assert sorted(store.mds.drop_inputs("one")) == sorted([owner(1), owner(2)])
    store.mds.lose_input(HASH, b"second")
    assert store.mds.hold_input(HASH, "four", 50) is None


def test_an_upload_that_is_placed_twice_is_freed_once(store: Store) -> None:
    for number in (1, 2, 1, 2):
        store.mds.place_input(HASH, "one", b"M", owner(number), 100)
    assert sorted(store.mds.drop_inputs("one")) == [owner(1), owner(2)]


def test_an_input_goes_in_time_with_its_holders(store: Store) -> None:
    store.mds.place_input(HASH, "one", b"M", owner(1), 0.05)
    store.eventually(lambda: store.mds.hold_input(HASH, "two", 0.001) is None)
    store.eventually(lambda: store.names() in ([], ["w:two:i"]))
    assert store.mds.drop_inputs("one") == []
    store.mds.place_input(HASH, "three", b"M again", owner(3), 60)
    assert store.mds.drop_inputs("three") == [owner(3)]


def test_a_job_lets_go_of_all_its_inputs(store: Store) -> None:
    hashes = [f"{i:064x}" for i in range(50)]
    owners = [owner(i, name) for i, name in enumerate(hashes)]
    for name, of in zip(hashes, owners, strict=True):
        store.mds.place_input(name, "job", b"M" + name.encode(), of, 60)
    store.mds.hold_input(hashes[7], "other", 10)
    store.submit(inputs=hashes)
    assert sorted(store.mds.drop_inputs("job")) == owners[:7] + owners[8:]
    store.mds.purge("job", 60)
    assert store.of_job() == ["m"]
    assert store.mds.drop_inputs("other") == [owners[7]]


def test_inputs_outlive_the_deadline_as_the_job_does(store: Store) -> None:
    store.mds.place_input(HASH, "job", b"M", owner(1), 60)
    store.submit(inputs=[HASH], seconds=0.01)
    store.eventually(lambda: store.mds.sweep("job", 60).expired)
    assert "i" in store.of_job()
    assert store.mds.drop_inputs("job") == [owner(1)]


# Rings.


def test_rings_are_kept_by_version(store: Store) -> None:
    assert store.mds.newest_ring() is None
    assert store.mds.ring(1) is None
    one = Ring(1, (Node("größe", "[::1]:6379"),))
    two = Ring(2, (Node("größe", "[::1]:6379"), Node("b", "127.0.0.1:2")))
    store.mds.put_ring(one)
    assert store.mds.newest_ring() == one
    store.mds.put_ring(two)
    assert store.mds.newest_ring() == two
    assert (store.mds.ring(1), store.mds.ring(2), store.mds.ring(3)) == (one, two, None)


def test_a_job_stays_with_the_ring_it_was_submitted_under(store: Store) -> None:
    store.submit()
    store.mds.put_ring(Ring(4, (Node("later", "127.0.0.1:9"),)))
    ring = store.holder().begun.ring
    assert ring is not None
    assert (ring.version, store.info().ring_version) == (3, 3)
    assert store.mds.newest_ring() != ring
