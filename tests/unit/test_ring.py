"""Keys spread evenly over a ring, and few move when it changes."""

from __future__ import annotations

from collections import Counter

import pytest

from wukong.kvs.ring import Node, Ring

KEYS = [f"w:job:v:{number}:t:0" for number in range(6000)]


def ring(*ids: str) -> Ring:
    return Ring(1, tuple(Node(name, f"{name}.example:6379") for name in ids))


def test_the_place_is_the_first_candidate_and_candidates_are_all_nodes() -> None:
    nodes = ring("a", "b", "c", "d")
    for key in KEYS[:200]:
        assert nodes.place(key) == nodes.candidates(key)[0]
        assert set(nodes.candidates(key)) == set(nodes.nodes)


def test_the_place_depends_on_nothing_but_ids_and_key() -> None:
    here = ring("a", "b", "c")
    there = Ring(7, tuple(Node(node.id, "elsewhere:1") for node in reversed(here.nodes)))
    assert [here.place(key).id for key in KEYS] == [there.place(key).id for key in KEYS]
    # Written down, since a process of another version must find what this one wrote.
    assert [here.place(key).id for key in KEYS[:12]] == list("bcbcabbbacac")


def test_keys_spread_evenly() -> None:
    counts = Counter(ring("a", "b", "c", "d", "e").place(key).id for key in KEYS)
    # Binomial: 1200 expected, a deviation of 31; five of them.
    assert all(1045 <= count <= 1355 for count in counts.values())
    assert len(counts) == 5


@pytest.mark.parametrize("count", [1, 3, 4, 5, 17])
def test_the_stripes_of_a_stream_are_spread_evenly(count: int) -> None:
    nodes = ring("a", "b", "c", "d")
    first = Counter[str]()
    for name in range(400):
        keys = [f"w:job:v:{name}:t:{stripe}" for stripe in range(count)]
        counts = Counter(nodes.place(key).id for key in keys)
        assert max(counts.values()) == -(-count // 4)
        assert [nodes.place(key) for key in keys] == [nodes.candidates(key)[0] for key in keys]
        assert all(sorted(node.id for node in nodes.candidates(key)) == list("abcd") for key in keys)
        first[nodes.place(keys[-1]).id] += 1
    # Binomial: 100 expected, a deviation of 9; five of them.
    assert all(55 <= number <= 145 for number in first.values())


def test_a_new_node_takes_its_share_and_nothing_else_moves() -> None:
    old, new = ring("a", "b", "c"), ring("a", "b", "c", "d")
    moved = [key for key in KEYS if old.place(key).id != new.place(key).id]
    assert all(new.place(key).id == "d" for key in moved)
    assert 1300 <= len(moved) <= 1700


def test_without_a_node_its_keys_go_to_their_second_candidates() -> None:
    old, new = ring("a", "b", "c"), ring("a", "c")
    for key in KEYS[:500]:
        candidates = [node.id for node in old.candidates(key) if node.id != "b"]
        assert [node.id for node in new.candidates(key)] == candidates


def test_a_ring_survives_json() -> None:
    before = Ring(3, (Node("a", "10.0.0.1:6379"), Node("ü", "[::1]:1")))
    assert Ring.from_json(before.to_json()) == before
    assert Ring.from_json(before.to_json().encode()) == before


def test_rings_without_nodes_or_with_twins_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Ring(1, ())
    with pytest.raises(ValueError, match="one id"):
        ring("a", "a")
