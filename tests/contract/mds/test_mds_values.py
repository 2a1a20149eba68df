"""Values in the KVS are freed when no mark of their job names them any more, and counted while one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import Arrival, Status
from wukong.values.manifest import Manifest
from wukong.values.mark import Part, manifest_mark, part_mark

if TYPE_CHECKING:
    from tests.contract.mds.conftest import Holder, Store

NBYTES = 5000


def stored(name: object, owner: str = "job", token: str = "t", nbytes: int = NBYTES) -> bytes:
    """The mark of a value in the KVS: a pickle of ten bytes in the manifest, and a buffer."""
    return manifest_mark(bytes(32), Manifest(owner, str(name), token, 10, [nbytes - 10], b"p" * 10, b"").encode())


@pytest.fixture
def four(store: Store) -> list[Holder]:
    store.submit([0], [1], [2], [3], sinks=2)
    return [store.holder(record) for record in "0123"]


def freed(holder: Holder, **fields: object) -> list[bytes]:
    """What the end of a record frees."""
    synced = holder.sync(end=True, **fields)
    assert synced.ended
    return list(synced.freed)


def test_a_value_is_freed_when_who_stored_and_who_used_it_have_ended(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    assert first.verdicts(Arrival(9, 2, [(0, stored(0))])) == "N"
    assert second.verdicts(Arrival(9, 2, [(1, b"I1")])) == "C"
    assert freed(first) == []
    assert freed(second) == [stored(0)]
    assert store.info().counters.peak_stored == NBYTES
    assert "v" not in store.of_job()


def test_whoever_stored_a_value_may_name_it_again_until_its_end(store: Store, four: list[Holder]) -> None:
    first, second, third, _ = four
    assert first.verdicts(Arrival(9, 2, [(0, stored(0))])) == "N"
    assert second.verdicts(Arrival(9, 2, [(1, b"I1")])) == "C"
    assert freed(second) == []
    assert first.verdicts(Arrival(8, 2, [(0, stored(0))])) == "N"
    assert freed(first) == []
    assert third.verdicts(Arrival(8, 2, [(1, b"I1")])) == "C"
    assert freed(third) == [stored(0)]


def test_a_value_with_several_users_is_freed_with_the_last(store: Store, four: list[Holder]) -> None:
    first, *others = four
    first.sync(*(Arrival(child, 2, [(0, stored(0))]) for child in (7, 8, 9)))
    for child, user in zip((7, 8, 9), others, strict=True):
        assert user.verdicts(Arrival(child, 2, [], [1])) == "C"
    assert freed(others[0]) == []
    assert freed(first) == []
    assert freed(others[2]) == []
    assert freed(others[1]) == [stored(0)]


def test_a_fan_in_of_many_values_frees_them_all(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    marks = [(edge, stored(edge)) for edge in range(300)]
    assert first.verdicts(Arrival(9, 301, marks)) == "N"
    assert second.verdicts(Arrival(9, 301, [], [300])) == "C"
    assert freed(first) == []
    assert freed(second) == sorted(mark for _, mark in marks)
    assert store.info().counters.peak_stored == 300 * NBYTES


def test_a_bundle_is_freed_when_none_of_its_parts_is_named(store: Store, four: list[Holder]) -> None:
    first, second, third, _ = four
    bundle = stored("bundle-4")
    parts = [part_mark(Part(10 * number, 10, bundle)) for number in range(3)]
    first.sync(Arrival(9, 3, [(0, parts[0]), (1, parts[1])]), Arrival(8, 2, [(0, parts[2])]))
    assert freed(first) == []
    assert second.verdicts(Arrival(9, 3, [], [2])) == "C"
    assert freed(second) == []
    assert third.verdicts(Arrival(8, 2, [], [1])) == "C"
    assert freed(third) == [bundle]
    assert store.info().counters.peak_stored == NBYTES


def test_the_inputs_of_a_piece_stay_until_it_ends(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    assert first.verdicts(Arrival(9, 2, [(0, stored(0))])) == "N"
    assert second.verdicts(Arrival(9, 2, [], [1])) == "C"
    pieces = [Record("", [9], [(0, stored(0)), (1, b"I1"), (2, stored(2))]) for _ in range(2)]
    given = second.mds.offload(second.job, second.record, second.token, 0, "o", 60.0, pieces)
    assert given == (Status.OK, 2)
    again = second.mds.offload(second.job, second.record, second.token, 0, "o", 60.0, pieces)
    assert again == given
    assert freed(first) == freed(second) == []
    one, other = store.holder("o.0"), store.holder("o.1")
    assert freed(one) == []
    assert freed(other) == [stored(0), stored(2)]


def test_pieces_that_are_not_accepted_name_nothing(store: Store) -> None:
    store.submit([0], parallelism=1)
    holder = store.holder()
    piece = Record("", [1], [(0, stored(0))])
    assert holder.mds.offload("job", "0", holder.token, 0, "o", 60.0, [piece]) == (Status.OK, 0)
    assert "v" not in store.of_job()


def test_a_take_over_frees_nothing(store: Store) -> None:
    store.submit([0], [1], lease=0.05)
    first, second = store.holder("0", lease=0.05), store.holder("1")
    assert first.verdicts(Arrival(9, 2, [(0, stored(0, token="a"))])) == "N"
    assert second.verdicts(Arrival(9, 2, [], [1])) == "C"
    next_one = store.eventually(lambda: _taken_over(store))
    assert next_one.verdicts(Arrival(9, 2, [(0, stored(0, token="b"))])) == "T"
    assert freed(next_one) == []
    assert freed(second) == [stored(0, token="a")]


def _taken_over(store: Store) -> Holder | None:
    other = store.stranger("0", "other")
    return other if other.begin().status is Status.OK else None


def test_a_mark_that_takes_the_place_of_another_names_its_value_instead(store: Store, four: list[Holder]) -> None:
    first, second, third, _ = four
    old, new = stored(0, token="a"), stored(0, token="b")
    assert first.verdicts(Arrival(9, 2, [(0, old)])) == "N"
    assert first.verdicts(Arrival(9, 2, [(0, old)])) == "N"
    assert second.verdicts(Arrival(9, 2, [(0, new)])) == "N"
    assert freed(first) == [old]
    assert freed(second) == []
    assert third.verdicts(Arrival(9, 2, [], [1])) == "C"
    assert freed(third) == [new]


def test_results_and_healed_values_stay(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    first.sync(Arrival(9, 2, [(0, stored(0))]), results=[(0, stored(0))])
    assert first.mds.heal("job", "0", first.token, 0, 60.0, 5, stored(5)) is Status.OK
    assert second.verdicts(Arrival(9, 2, [], [1])) == "C"
    assert freed(first) == freed(second) == []
    assert store.info().counters.peak_stored == 2 * NBYTES


def test_values_of_others_are_not_counted(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    assert first.verdicts(Arrival(9, 3, [(0, stored(0, "in:abc:t")), (1, stored(0, "jobs-other"))])) == "N"
    assert second.verdicts(Arrival(9, 3, [], [2])) == "C"
    assert freed(first) == freed(second) == []
    assert store.info().counters.peak_stored == 0
    assert "v" not in store.of_job()


def test_the_end_of_the_job_frees_nothing_for_the_purge_does(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    assert first.verdicts(Arrival(9, 2, [(0, stored(0))])) == "N"
    assert second.verdicts(Arrival(9, 2, [], [1])) == "C"
    assert freed(first) == []
    assert freed(second, results=[(1, b"N"), (2, b"N")]) == []
    assert store.info().state == "done"
    assert "v" in store.of_job()
    store.mds.purge("job", 100)
    assert store.of_job() == ["m"]


def test_the_peak_is_the_most_at_any_moment(store: Store, four: list[Holder]) -> None:
    first, *others = four
    for turn in range(3):
        child = 10 + turn
        assert first.verdicts(Arrival(child, 2, [(0, stored(turn, nbytes=1000 * (turn + 1)))])) == "N"
        assert others[turn].verdicts(Arrival(child, 2, [], [1])) == "C"
        freed(others[turn])
    assert freed(first) == sorted(stored(turn, nbytes=1000 * (turn + 1)) for turn in range(3))
    assert store.info().counters.peak_stored == 6000


def test_what_is_needed_is_told(store: Store, four: list[Holder]) -> None:
    first, second, _, _ = four
    first.sync(Arrival(9, 2, [(0, stored(0))]))
    freed(second)
    tokens, values = store.mds.needed("job")
    assert tokens == {"token-0", "token-2", "token-3"}
    assert values == {stored(0)}
    first.mds.fail("job", "0", first.token, 0, Failure("TaskError", "it raised"))
    store.mds.purge("job", 100)
    assert store.mds.needed("job") == (set(), set())
    assert store.mds.needed("unknown") == (set(), set())
