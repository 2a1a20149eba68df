from __future__ import annotations

import os

from wukong import Client, LocalCluster
from wukong.cluster.huge_pages import with_huge_pages


def tunables() -> str:
    return os.environ["GLIBC_TUNABLES"]


def test_environments_ask_for_huge_pages() -> None:
    with LocalCluster() as cluster, Client(cluster, progress=False) as client:
        assert "glibc.malloc.hugetlb=1" in client.submit(tunables).result().split(":")


def test_what_is_tuned_already_stays_and_is_the_last_word() -> None:
    environ = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=0:glibc.malloc.tcache_count=1", "HOME": "/home/somebody"}
    assert with_huge_pages(environ) == environ | {
        "GLIBC_TUNABLES": f"glibc.malloc.hugetlb=1:{environ['GLIBC_TUNABLES']}"
    }
    assert with_huge_pages({})["GLIBC_TUNABLES"] == "glibc.malloc.hugetlb=1"
