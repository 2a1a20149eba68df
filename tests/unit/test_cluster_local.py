"""What `LocalCluster` refuses, and what importing it costs. No process of a cluster starts here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import wukong
from wukong.cluster import local
from wukong.cluster.latency import parse
from wukong.errors import ClusterUnavailable


@pytest.fixture(autouse=True)
def _no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a process would be started")

    monkeypatch.setattr(local, "Supervisor", refuse)


@pytest.mark.parametrize("keyword", ["n_worker", "threads_per_worker"])
def test_unknown_keyword_is_a_type_error(keyword: str) -> None:
    with pytest.raises(TypeError, match=keyword):
        wukong.LocalCluster(**{keyword: 1})


def test_an_unknown_policy_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"no policy 'pywren'.*'heartbeat', 'wukong2020', 'stateless'"):
        wukong.LocalCluster(policy="pywren")


def test_unknown_fault_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown faults: drops; known are deliveries, seed, duplicate, delay, drop, "):
        wukong.LocalCluster(faults={"drops": 1})


@pytest.mark.parametrize("faults", [5, "drop"])
def test_faults_that_are_no_dictionary_are_named(faults: Any) -> None:
    with pytest.raises(ValueError, match=f"faults is {faults!r}; it must be a dictionary of deliveries, seed, "):
        wukong.LocalCluster(faults=faults)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("deliveries", 0),
        ("deliveries", 1.5),
        ("deliveries", True),
        ("seed", 0.5),
        ("duplicate", 1.1),
        ("kill", -0.1),
        ("drop", "1"),
        ("delay_seconds", -1),
        ("kill_seconds", float("inf")),
        ("delay_seconds", float("nan")),
    ],
)
def test_fault_outside_its_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"faults\['{name}'\] is {value!r}; it must be"):
        wukong.LocalCluster(faults={name: value})


@pytest.mark.parametrize(
    ("latency", "message"),
    [
        ("gcp", "unknown latency 'gcp'; known are 'aws'"),
        (5, "latency is 5; it must be 'aws' or a dictionary of invoke_seconds, "),
        ({"store": 1}, "unknown latencies: store; known are invoke_seconds, cold_start_seconds, store_seconds, "),
        ({"invoke_seconds": -1}, r"latency\['invoke_seconds'\] is -1; it must be a number of seconds"),
        ({"store_seconds": "1"}, r"latency\['store_seconds'\] is '1'; it must be a number of seconds"),
        ({"cold_start_seconds": float("inf")}, "is inf; it must be a number of seconds"),
        ({"store_mb_per_second": 0}, r"latency\['store_mb_per_second'\] is 0; it must be above 0"),
        ({"store_mb_per_second": True}, "is True; it must be above 0"),
    ],
)
def test_latency_outside_its_range_is_named(latency: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wukong.LocalCluster(latency=latency)


def test_aws_is_a_latency() -> None:
    assert parse("aws") == {
        "invoke_seconds": 0.05,
        "cold_start_seconds": 1.0,
        "store_seconds": 0.0005,
        "store_mb_per_second": 75,
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("environments", 0),
        ("environments", 1.5),
        ("environments", True),
        ("memory_mb", 64),
        ("kvs_nodes", 0),
        ("timeout", 0),
        ("startup_timeout", 0),
        ("startup_timeout", None),
        ("startup_timeout", float("inf")),
        ("lease_seconds", "1"),
        ("lease_seconds", -1),
    ],
)
def test_option_outside_its_range_is_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}"):
        wukong.LocalCluster(**{name: value})


def test_folder_has_a_path_short_enough_for_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    folder = local._folder()
    os.rmdir(folder)
    assert len(folder) <= 80


def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ClusterUnavailable, match="Windows"):
        wukong.LocalCluster()


def test_embedded_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(ClusterUnavailable, match="embeds Python"):
        wukong.LocalCluster()


def test_children_do_not_look_where_the_script_and_the_user_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "scripts" / "main.py"
    packages = tmp_path / "packages"
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(script), raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(script.parent), str(tmp_path), str(packages)])
    path = local._path()
    assert path[0] == str(packages)
    assert not {"", str(tmp_path), str(script.parent)} & set(path)
    assert Path(path[-1], "wukong", "__init__.py").exists()


def test_import_wukong_is_cheap() -> None:
    code = (
        "import json, sys, time; start = time.perf_counter(); import wukong; "
        "print(json.dumps([time.perf_counter() - start, list(sys.modules)]))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, modules = json.loads(done.stdout)
    assert not {"numpy", "dask", "grpc", "asyncio", "cloudpickle", "concurrent.futures"} & set(modules)
    assert seconds < 0.150


def test_every_exported_name_is_there() -> None:
    for name in wukong.__all__:
        assert getattr(wukong, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        wukong.Nothing
    assert set(wukong.__all__) <= set(dir(wukong))
