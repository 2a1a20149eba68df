"""The proxy and a node as processes of their own, as containers run them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from wukong.cluster.valkey import ValkeyServer
from wukong.rpc.channel import channel
from wukong.rpc.v1 import ring_pb2, ring_pb2_grpc

SECRETS = {
    "WUKONG_TOKEN": "the-token",
    "WUKONG_STORE_PASSWORD": "of-the-stores",
    "WUKONG_SIGNING_KEY": "ab" * 32,
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    with ValkeyServer(tmp_path, "store", password=SECRETS["WUKONG_STORE_PASSWORD"]) as server:
        yield server.address


@contextlib.contextmanager
def process(module: str, environ: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process and the address that it says it listens on."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(
        command, env={**os.environ, **SECRETS, **environ}, stderr=subprocess.PIPE, text=True
    ) as child:
        try:
            assert child.stderr is not None
            lines = []
            for line in child.stderr:
                lines.append(line)
                if found := re.search(r"listening on (\S+)", line):
                    yield child, found[1]
                    break
            else:
                raise AssertionError("".join(lines))
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_they_serve_until_they_are_told_to_end(store: str, number: signal.Signals) -> None:
    with process("wukong_kvs_proxy", {"WUKONG_MDS_ADDRESS": store}) as (proxy, address):
        node = {"WUKONG_PROXY_ADDRESS": address, "WUKONG_NODE_ID": "n", "WUKONG_NODE_REDIS_ADDRESS": store}
        with process("wukong_kvs_node", node) as (agent, _):
            with channel(address, SECRETS["WUKONG_TOKEN"]) as opened:
                health = health_pb2_grpc.HealthStub(opened).Check(health_pb2.HealthCheckRequest())
                ring = ring_pb2_grpc.RingStub(opened).GetRing(ring_pb2.GetRingRequest())
            assert health.status == health_pb2.HealthCheckResponse.SERVING
            assert [(node.id, node.address) for node in ring.nodes] == [("n", store)]
            for child in (agent, proxy):
                child.send_signal(number)
                assert child.wait(timeout=20) == 0
