"""What an environment may use."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
import threadpoolctl

from wukong import Client, ExecutorLost, LocalCluster
from wukong.cluster import local


def _hold(nbytes: int) -> int:
    return len(b"x" * nbytes)


def _end_once(path: str) -> int:
    if os.path.exists(path):
        return 7
    Path(path).touch()
    os._exit(3)


def _threads() -> list[dict[str, Any]]:
    import numpy as np

    np.ones((4, 4)) @ np.ones((4, 4))
    return threadpoolctl.threadpool_info()


def test_environment_past_its_memory_is_ended_and_says_so_at_once(tmp_path: Path) -> None:
    """And not when its lease runs out: the platform tells the scheduler."""
    with LocalCluster(environments=1, memory_mb=300, lease_seconds=60) as cluster, Client(cluster) as client:
        begun = time.monotonic()
        with pytest.raises(
            ExecutorLost, match=r"ran task \('x', 1\) was lost: .*: out of memory, with \d+ of 300 MiB"
        ) as told:
            client.get({("x", 1): (_hold, 2**30)}, ("x", 1))
        assert told.value.task == ("x", 1)
        assert "above its memory_mb of 300" in cluster.logs()["wukong-executor"]
        assert client.get({"x": (_hold, 10)}, "x") == 10
        # One that ends its executor once runs again at once.
        assert client.get({"x": (_end_once, str(tmp_path / "ended"))}, "x") == 7
        assert time.monotonic() - begun < 50


@pytest.mark.parametrize("environments", [1, 2])
def test_environments_times_threads_fits_the_cores(environments: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_cores", lambda: 2)
    with LocalCluster(environments=environments) as cluster, Client(cluster) as client:
        pools = client.get({"x": (_threads,)}, "x")
    assert {pool["num_threads"] for pool in pools if pool["user_api"] == "blas"} == {2 // environments}


def test_tasks_see_the_users_directory_and_variables_but_not_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SOMETHING", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine alone")
    with LocalCluster(environments=1) as cluster, Client(cluster) as client:
        directory, variables = client.get({"x": (lambda: (os.getcwd(), dict(os.environ)),)}, "x")
    assert directory == os.getcwd()
    assert variables["SOMETHING"] == "mine"
    assert "mine alone" not in variables.values()
