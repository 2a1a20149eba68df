"""The parts of a cluster under mutual TLS: a node joins the proxy, an executor gives work away, a client uploads."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest
from tests.integration.kvs_services.stage import KEY, PASSWORD, TOKEN, Loop, upload

import wukong_kvs_node.server
import wukong_kvs_proxy.server
import wukong_scheduler.server
from wukong import Client
from wukong.cluster import certificates
from wukong.cluster.valkey import ValkeyServer
from wukong.errors import TlsFailed
from wukong.mds.records import Record
from wukong.mds.store import Status
from wukong.rpc.channel import channel
from wukong.rpc.service import Service
from wukong.rpc.status import wukong_errors
from wukong.rpc.tls import CallerTls
from wukong.rpc.v1 import data_pb2_grpc
from wukong.values import codec
from wukong_executor import fan_out


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a part."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return {
        "WUKONG_TLS_CERTIFICATE": str(folder / "server.pem"),
        "WUKONG_TLS_KEY": str(folder / "server-key.pem"),
        "WUKONG_TLS_CA": str(folder / "ca.pem"),
        "WUKONG_TLS_CLIENT_CA": str(folder / "ca.pem"),
    }


@pytest.fixture(scope="module")
def parts(named: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Addresses of a proxy, of the agent of a node that has joined it, and of a scheduler."""
    with ValkeyServer(tmp_path_factory.mktemp("store"), "store", password=PASSWORD) as store:
        loop = Loop()
        environ = {
            **named,
            "WUKONG_TOKEN": TOKEN,
            "WUKONG_STORE_PASSWORD": PASSWORD,
            "WUKONG_SIGNING_KEY": KEY.hex(),
            "WUKONG_MDS_ADDRESS": store.address,
            "WUKONG_NODE_ID": "n-1",
            "WUKONG_NODE_REDIS_ADDRESS": store.address,
            "WUKONG_LAMBDA_ENDPOINT": "http://127.0.0.1:1",
        }
        with contextlib.ExitStack() as ends:
            ends.callback(loop.close)

            def started(service: Service) -> str:
                ends.callback(lambda: loop.do(service.close()))
                return service.address

            with pytest.MonkeyPatch.context() as patch:
                for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
                    patch.setenv(name, "nobody's")
                patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
                proxy = environ["WUKONG_PROXY_ADDRESS"] = started(loop.do(wukong_kvs_proxy.server.serve(environ)))
                node = started(loop.do(wukong_kvs_node.server.serve(environ)))
                scheduler = started(loop.do(wukong_scheduler.server.serve(environ)))
                yield {"proxy": proxy, "node": node, "scheduler": scheduler}


def test_a_client_and_an_executor_are_served(
    parts: dict[str, str], named: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    with contextlib.closing(Client(parts["scheduler"], token=TOKEN)) as client:
        assert client.info()["kvs_nodes"] == 1
    with channel(parts["proxy"], TOKEN, CallerTls.read()) as opened, wukong_errors(parts["proxy"]):
        ref = data_pb2_grpc.DataStub(opened).PutValue(upload("j", codec.pack(np.arange(100_000))))
    assert ref.mark
    wide = fan_out.Wide("j", "0", "holder", 0, "holder-1", 10.0, [Record("", [1], [], 1)], [[0]], None)
    assert fan_out.through_proxy(parts["proxy"], TOKEN, wide) == (Status.STOP, 0, [])  # no such job


@pytest.mark.parametrize("part", ["proxy", "node", "scheduler"])
def test_a_caller_without_tls_or_without_a_certificate_is_not(
    parts: dict[str, str], named: dict[str, str], part: str
) -> None:
    for files in ({}, {"ca_file": named["WUKONG_TLS_CA"]}):
        with pytest.raises(TlsFailed, match="certificate of its callers" if files else "speaks TLS"):
            Client(parts[part], token=TOKEN, timeout=10, **files)
