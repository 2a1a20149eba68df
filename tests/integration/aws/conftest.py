"""AWS as moto plays it: one server on loopback for all tests, empty for each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.integration.aws.amazon import REGION, Amazon
from tests.integration.aws.root import Root
from tests.integration.aws.stage import ScalingStage
from tests.integration.scheduler_server.stage import PASSWORD, Lambda

from wukong.cluster.valkey import ValkeyServer
from wukong.redis.connection import Connection
from wukong_scheduler import scaler


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def amazon(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Amazon]:
    """An account with nothing in it, to which botocore in this process and its children leads."""
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "nobodys",
        "AWS_SECRET_ACCESS_KEY": "nobodys",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    made = Amazon(moto, boto3.session.Session())
    made.empty()
    yield made
    made.close()


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A metadata store, and what all KVS nodes are."""
    folder = Path(tmp_path_factory.mktemp("stores"))
    with (
        ValkeyServer(folder, "mds", password=PASSWORD) as mds,
        ValkeyServer(folder, "kvs", password=PASSWORD) as kvs,
    ):
        yield mds.address, kvs.address


@pytest.fixture
def stage(stores: tuple[str, str], amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScalingStage]:
    """A scheduler that does not run yet, with an ECS service of no tasks."""
    for address in stores:
        connection = Connection(address, password=PASSWORD)
        connection.call("FLUSHALL")
        connection.close()
    monkeypatch.setattr(scaler, "PAUSE", 0.02)
    monkeypatch.setattr(scaler, "FRESH", 0.0)
    endpoint = Lambda()
    made = ScalingStage(*stores, endpoint)
    made.environ["WUKONG_KVS_SERVICE"] = amazon.kvs_service()
    yield made
    made.stop()
    made.mds.close_connections()
    endpoint.close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Root:
    """A Terraform root that was applied, with a program that says what its outputs are."""
    return Root(tmp_path, monkeypatch)
