import gc
from typing import Any, cast

import numpy as np

from wukong.client.leases import Leases
from wukong.client.stores import Stores
from wukong.errors import ClusterUnavailable


class Store:
    """A metadata store and a key-value store that only know who holds what."""

    def __init__(self) -> None:
        self.held: dict[str, str] = {}
        self.freed: set[str] = set()
        self.purged: list[str] = []
        self.mds = self.values = self.kvs = self
        self.away = False

    def hold_input(self, content: str, holder: str, seconds: float) -> bytes:
        self.held[holder] = content
        return b"mark"

    def drop_inputs(self, holder: str) -> list[str]:
        if self.away:
            raise ClusterUnavailable("away")
        content = self.held.pop(holder)
        if content in self.held.values():
            return []
        self.freed.add(holder)
        return [f"owner of {content}"]

    def forget_inputs(self, holder: str) -> None:
        self.freed.remove(holder)

    def purge(self, owner: str) -> int:
        self.purged.append(owner)
        return 1


def leases(store: Store) -> Leases:
    return Leases(cast("Stores", store), "client")


def test_an_upload_is_held_until_its_object_is_gone() -> None:
    store = Store()
    held = leases(store)
    first, second = np.arange(3), np.arange(4)
    held.keep(first, "aaa", 60)
    held.keep(first, "aaa", 60)
    held.keep(second, "bbb", 60)
    assert sorted(store.held.values()) == ["aaa", "bbb"]

    held.drop_gone()
    assert store.purged == []
    del first
    gc.collect()
    held.drop_gone()
    assert store.purged == ["owner of aaa"]
    assert list(store.held.values()) == ["bbb"]
    assert store.freed == set()
    held.drop_gone()
    assert store.purged == ["owner of aaa"]


def test_two_objects_of_one_content_hold_it_together() -> None:
    store = Store()
    held = leases(store)
    first, second = np.arange(3), np.arange(3)
    held.keep(first, "aaa", 60)
    held.keep(second, "aaa", 60)
    del first
    gc.collect()
    held.drop_gone()
    assert store.purged == []
    del second
    gc.collect()
    held.drop_gone()
    assert store.purged == ["owner of aaa"]


def test_a_changed_object_lets_go_of_what_it_was() -> None:
    store = Store()
    held = leases(store)
    value = np.arange(3)
    held.keep(value, "aaa", 60)
    held.keep(value, "bbb", 60)
    held.drop_gone()
    assert store.purged == ["owner of aaa"]
    assert list(store.held.values()) == ["bbb"]


def test_what_has_no_observable_life_is_left_to_its_jobs() -> None:
    store = Store()
    leases(store).keep(b"bytes", "aaa", 60)
    assert store.held == {}


def test_closing_lets_go_of_everything() -> None:
    store = Store()
    held = leases(store)
    value = np.arange(3)
    held.keep(value, "aaa", 60)
    held.close()
    assert store.purged == ["owner of aaa"]
    held.close()
    assert store.purged == ["owner of aaa"]


def test_stores_that_are_away_do_not_stop_the_client() -> None:
    store = Store()
    held = leases(store)
    value: Any = np.arange(3)
    held.keep(value, "aaa", 60)
    store.away = True
    held.close()
    assert store.purged == []
