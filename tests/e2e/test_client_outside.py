"""A client on the host of a cluster in containers, of which it reaches two ports: started by `wukong up --compose`."""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dask.array as da
import docker
import numpy as np
import pytest

from wukong import Client, LargeUploadWarning
from wukong.client.events import Progressed

sys.path.insert(0, str(Path(__file__).parent))
from tests.e2e.cluster import ROOT, Cluster

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

#: 100 MiB.
LARGE = 13_107_200

#: What stays when the cluster ends: what the metadata store keeps, all secrets, and those of each part.
VOLUMES = ("executor", "mds", "node", "proxy", "scheduler", "secrets")


class Upped:
    """A cluster that the command started and keeps."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self.cluster = Cluster(engine)
        port, proxy_port = self.cluster.ports
        self.address = f"127.0.0.1:{port}"
        self.environ = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.cluster.project,
            "WUKONG_PROXY_PORT": str(proxy_port),
            "PYTHONWARNINGS": "error",
        }
        words = ("--json", "--address", self.address, "--memory-mb", "1024", "--environments", "2")
        self.process = self._start("up", "--compose", *words)

    def _start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "wukong.cli", *words]
        return subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=subprocess.PIPE, text=True)

    def wait(self) -> None:
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        assert told["address"] == self.address
        self.token = told["token"]

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and output of another command on this cluster."""
        with self._start(*words, "--address", self.address, "--token", self.token) as process:
            out, _ = process.communicate(timeout=120)
        return process.returncode, out

    def proxy_kb(self, which: str) -> int:
        """A figure of the proxy's process: VmRSS now, VmHWM at most so far."""
        (proxy,) = self.cluster.containers("kvs-proxy")
        status = proxy.exec_run("cat /proc/1/status").output
        assert isinstance(status, bytes)
        found = re.search(rf"^{which}:\s+(\d+) kB$", status.decode(), re.MULTILINE)
        assert found
        return int(found[1])


@pytest.fixture(scope="module")
def upped(engine: docker.DockerClient) -> Iterator[Upped]:
    started = Upped(engine)
    try:
        started.wait()
        yield started
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(90) == 0
        # The secrets and what the metadata store keeps, for the next time.
        assert sorted(started.cluster.left()) == [f"{started.cluster.project}_{name}" for name in VOLUMES]
    finally:
        with started.process as process:
            process.kill()
        started.cluster.down()
        assert started.cluster.left() == []


@pytest.fixture
def client(upped: Upped) -> Iterator[Client]:
    with Client(upped.address, token=upped.token) as connected:
        yield connected


def test_a_large_array_goes_up_and_comes_down_in_pieces(upped: Upped, client: Client) -> None:
    before = upped.proxy_kb("VmRSS")
    values = np.random.default_rng(7).random(LARGE)
    with pytest.warns(LargeUploadWarning):
        assert client.submit(np.sum, values).result() == values.sum()
    # The client keeps it, so it is not sent again; the answer is as large as it.
    with pytest.warns(LargeUploadWarning):
        np.testing.assert_array_equal(client.submit(np.negative, values).result(), -values)
    assert upped.proxy_kb("VmHWM") - before < 80 * 1024


def test_many_large_values_at_once_do_not_fill_the_proxy(upped: Upped) -> None:
    values = np.random.default_rng(8).random((4, LARGE // 5))

    def double(seed: int) -> bool:
        with Client(upped.address, token=upped.token) as client:
            x = da.from_array(values + seed, chunks=(1, LARGE // 5))
            return np.array_equal((x * 2).compute(scheduler=client.get), (values + seed) * 2)

    # 3 × 4 values of 20 MiB each way.
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        assert all(threads.map(double, range(3)))
    assert upped.proxy_kb("VmHWM") < 400 * 1024


def test_the_doctor_finds_nothing_wrong(upped: Upped) -> None:
    code, out = upped.run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(out)}
    assert code == 0, checks
    assert list(checks) == ["scheduler", "proxy", "stores", "nodes", "versions", "first result", "next result"]
    assert "values go through the proxy" in checks["stores"]["detail"]
    assert checks["nodes"]["detail"].startswith("2 of the key-value store")
    for name in ("scheduler", "proxy", "stores", "nodes", "first result"):
        assert checks[name]["outcome"] == "ok"


def test_the_doctor_says_what_to_do(upped: Upped) -> None:
    cluster = upped.cluster
    (proxy,) = cluster.containers("kvs-proxy")
    proxy.pause()
    try:
        code, out = upped.run("doctor", "--json")
    finally:
        proxy.unpause()
    checks = {check["name"]: check for check in json.loads(out)}
    assert code == 3
    assert checks["proxy"]["outcome"] == "failed"
    assert "WUKONG_PUBLIC_PROXY_ADDRESS" in checks["proxy"]["advice"]


def test_a_second_command_finds_the_port_in_use(upped: Upped) -> None:
    environ = {**upped.environ, "COMPOSE_PROJECT_NAME": f"{upped.cluster.project}-other"}
    command = [sys.executable, "-m", "wukong.cli", "up", "--compose", "--address", upped.address]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert "choose another one with WUKONG_PORT" in ran.stderr


def test_a_client_finds_its_way_at_once(upped: Upped) -> None:
    started = time.monotonic()
    with Client(upped.address, token=upped.token) as client:
        assert client._session.stores is None
    assert time.monotonic() - started < 5


def test_persisted_values_stay_there(client: Client) -> None:
    values = np.arange(2_000_000.0)
    kept = client.persist(da.from_array(values, chunks=500_000) * 2)
    assert float(kept.sum().compute(scheduler=client.get)) == values.sum() * 2
    np.testing.assert_array_equal(kept.compute(scheduler="threads"), values * 2)


def square(number: int) -> int:
    return number * number


def test_futures_and_maps(client: Client) -> None:
    table = client.submit(np.arange, 1_000_000)
    assert client.submit(np.sum, table).result() == 499_999_500_000
    futures = client.map(square, range(100))
    assert client.gather(futures) == [number * number for number in range(100)]
    assert isinstance(client.submit(square, "no").exception(), TypeError)


def test_progress_and_output_are_told(client: Client) -> None:
    def speak(number: int) -> int:
        print("number", number)
        time.sleep(0.5)  # so long that there is progress to tell
        return number

    job = client.submit_graph({f"speak-{number}": (speak, number) for number in range(5)}, ["speak-3", "speak-4"])
    events = list(job.events())
    assert job.result() == (3, 4)
    assert job.logs("speak-3") == "number 3\n"
    assert any(isinstance(event, Progressed) for event in events)


def wait_for_ever() -> None:
    time.sleep(3600)


def test_a_job_is_cancelled(client: Client) -> None:
    future = client.submit(wait_for_ever)
    deadline = time.monotonic() + 60
    while not future.running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert future.cancel()
    while any(state == "running" for _, state in client.jobs()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
