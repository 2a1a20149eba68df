"""The images as they were built: their size, who runs in them, what they may write, how they end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from tests.e2e.cluster import image

from wukong.cluster import certificates

pytestmark = pytest.mark.e2e

BASE = os.environ.get("BASE_IMAGE", "python:3.11-slim-bookworm")
MEGABYTES = {
    "scheduler": 100,
    "kvs-proxy": 100,
    "kvs-node": 100,
    "lambda-emulator": 100,
    "invoker": 100,
    "executor": 350,
}
SECRETS = {"WUKONG_TOKEN": "t", "WUKONG_STORE_PASSWORD": "p", "WUKONG_SIGNING_KEY": "00" * 32}

every_image = pytest.mark.parametrize("name", MEGABYTES)


@contextlib.contextmanager
def running(engine: docker.DockerClient, name: str, **options: Any) -> Iterator[Container]:
    """A container with nothing but its image, as strictly as Compose runs it."""
    container = engine.containers.run(
        image(name),
        detach=True,
        read_only=True,
        cap_drop=["ALL"],
        tmpfs={"/tmp": "mode=1777"},
        **options,
    )
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def until(container: Container, text: str) -> None:
    """Wait until a container has printed a text."""
    deadline = time.monotonic() + 60
    while text not in container.logs().decode():
        container.reload()
        assert container.status in ("created", "running"), container.logs().decode()
        assert time.monotonic() < deadline, container.logs().decode()
        time.sleep(0.1)


def seconds_to_end(container: Container) -> float:
    """How long a container takes to end by SIGTERM; 10 s and more are a kill's."""
    started = time.monotonic()
    container.stop(timeout=10)
    return time.monotonic() - started


@every_image
def test_size_above_the_base(engine: docker.DockerClient, name: str) -> None:
    above = engine.images.get(image(name)).attrs["Size"] - engine.images.get(BASE).attrs["Size"]
    assert above <= MEGABYTES[name] * 1_000_000


@every_image
def test_what_is_said_of_it(engine: docker.DockerClient, name: str) -> None:
    config = engine.images.get(image(name)).attrs["Config"]
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert labels["title"] == f"wukong-{name}"
    assert labels["version"] == "0.1.0"
    assert labels["licenses"] == "Apache-2.0"
    assert config["User"] == "wukong"
    assert config["Healthcheck"]["Test"][0] == "CMD"


@every_image
def test_nobody_is_root_and_no_installer_is_there(engine: docker.DockerClient, name: str) -> None:
    program = "import os, importlib.util as u; print(os.getuid(), u.find_spec('pip'), u.find_spec('setuptools'))"
    said = engine.containers.run(image(name), ["-c", program], entrypoint="python", remove=True)
    assert said.decode().split() == ["10001", "None", "None"]


@every_image
def test_every_requirement_is_there(engine: docker.DockerClient, name: str) -> None:
    """As `pip check` would say, had the image a pip."""
    program = f"""
import importlib.metadata as m, re
seen, missing, waiting = set(), [], ["wukong-{name}"]
while waiting:
    one = waiting.pop()
    if one in seen:
        continue
    seen.add(one)
    try:
        found = m.requires(one) or []
    except m.PackageNotFoundError:
        missing.append(one)
        continue
    waiting += [re.match(r"[A-Za-z0-9._-]+", text)[0] for text in found if ";" not in text]
print(len(seen) > 3, missing)
"""
    said = engine.containers.run(image(name), ["-c", program], entrypoint="python", remove=True)
    assert said.decode().split(maxsplit=1) == ["True", "[]\n"]


def test_the_executor_has_the_sciences(engine: docker.DockerClient) -> None:
    program = (
        "import dask.array, dask.dataframe, numpy, pandas, scipy.linalg, scipy.stats;"
        "print(dask.array.ones((4, 4), chunks=2).sum().compute(), scipy.linalg.det(numpy.eye(3)));"
        "frame = dask.dataframe.from_pandas(pandas.DataFrame({'name': list('xyx')}), npartitions=2);"
        "frame.to_parquet('/tmp/frame');"
        "print(dask.dataframe.read_parquet('/tmp/frame').name.value_counts().compute()['x'])"
    )
    said = engine.containers.run(
        image("executor"), ["-c", program], entrypoint="python", remove=True, read_only=True, tmpfs={"/tmp": ""}
    )
    assert said.decode().split() == ["16.0", "1.0", "2"]


@pytest.mark.parametrize("name", ["executor", "invoker"])
def test_a_function_ends_while_it_waits_for_an_invocation(engine: docker.DockerClient, name: str) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        asked = threading.Event()
        kept: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                kept.append(listener.accept()[0])
                kept[0].recv(1000)
                asked.set()

        threading.Thread(target=accept, daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with running(engine, name, network_mode="host", environment={"AWS_LAMBDA_RUNTIME_API": address}) as container:
            assert asked.wait(60), container.logs().decode()
            assert seconds_to_end(container) < 5
    for connection in kept:
        connection.close()


def test_a_store_ends(engine: docker.DockerClient) -> None:
    store = ["python", "-m", "wukong_kvs_node.store"]
    with running(engine, "kvs-node", entrypoint=store, environment=SECRETS) as container:
        until(container, "Ready to accept connections")
        assert container.exec_run("python -I -m wukong_kvs_node.health --store-alone").exit_code == 0
        assert seconds_to_end(container) < 5


def test_a_store_with_a_certificate_speaks_tls(engine: docker.DockerClient, tmp_path: Path) -> None:
    certificates.make(tmp_path)
    pem = {name: (tmp_path / f"{name}.pem").read_text() for name in ("ca", "server", "server-key")}
    environment = {
        **SECRETS,
        "WUKONG_STORE_SERVER": "redis-server",
        "WUKONG_STORE_CERTIFICATE": pem["server"],
        "WUKONG_STORE_KEY": pem["server-key"],
        "WUKONG_STORE_CA": pem["ca"],
    }
    store = ["python", "-m", "wukong_kvs_node.store", "--keep", "/tmp"]
    with running(engine, "kvs-node", entrypoint=store, environment=environment) as container:
        until(container, "Ready to accept connections")
        health = "python -I -m wukong_kvs_node.health --store-alone"
        assert container.exec_run(health).exit_code == 0
        assert container.exec_run(health, environment={"WUKONG_STORE_CA": ""}).exit_code == 1


def test_a_store_without_a_password_is_refused(engine: docker.DockerClient) -> None:
    with running(engine, "kvs-node", entrypoint=["python", "-m", "wukong_kvs_node.store"]) as container:
        assert container.wait()["StatusCode"] == 1
        assert "WUKONG_STORE_PASSWORD is empty" in container.logs().decode()


def test_a_node_ends_while_it_waits_for_its_proxy(engine: docker.DockerClient) -> None:
    environment = {**SECRETS, "WUKONG_PROXY_ADDRESS": "127.0.0.1:1"}
    with running(engine, "kvs-node", environment=environment) as container:
        until(container, "register failed")
        assert container.exec_run("python -I -m wukong_kvs_node.health").exit_code == 1
        assert seconds_to_end(container) < 5


def test_a_scheduler_serves_and_ends_without_its_stores(engine: docker.DockerClient) -> None:
    environment = {**SECRETS, "WUKONG_MDS_ADDRESS": "127.0.0.1:1", "WUKONG_PROXY_ADDRESS": "127.0.0.1:1"}
    with running(engine, "scheduler", environment=environment) as container:
        until(container, "listening on")
        assert container.exec_run("python -I -m wukong.rpc.serving 127.0.0.1:50051").exit_code == 0
        assert seconds_to_end(container) < 5
