"""The proxy and a node as processes of their own, as containers run them."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from wukong.cluster.valkey import ValkeyServer
from wukong.rpc.channel import channel
from wukong.rpc.content import content_hash
from wukong.rpc.v1 import data_pb2, data_pb2_grpc, ring_pb2, ring_pb2_grpc, value_pb2

MIB = 1024 * 1024
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


def test_many_large_values_at_once_take_bounded_memory(store: str) -> None:
    """28 values of 32 MiB, nearly 900 MiB in all: as many stripes as there are turns, and little of the others."""
    count, nbytes = 28, 32 * MIB
    data = os.urandom(MIB) * 32
    with process("wukong_kvs_proxy", {"WUKONG_MDS_ADDRESS": store}) as (proxy, address):
        node = {"WUKONG_PROXY_ADDRESS": address, "WUKONG_NODE_ID": "n", "WUKONG_NODE_REDIS_ADDRESS": store}
        with process("wukong_kvs_node", node), channel(address, SECRETS["WUKONG_TOKEN"]) as opened:
            stub = data_pb2_grpc.DataStub(opened)
            before = _peak_memory(proxy.pid)

            def send(number: int) -> bool:
                pickle = f"pickle {number}".encode()
                name = content_hash(pickle, [memoryview(data)])
                layout = value_pb2.ValueLayout(pickle_length=len(pickle), buffer_lengths=[nbytes])
                header = data_pb2.PutValueHeader(job_id=f"job-{number}", hash=name, layout=layout)

                def requests() -> Iterator[data_pb2.PutValueRequest]:
                    yield data_pb2.PutValueRequest(header=header)
                    yield data_pb2.PutValueRequest(data=pickle)
                    for start in range(0, nbytes, MIB):
                        yield data_pb2.PutValueRequest(data=data[start : start + MIB])

                ref = stub.PutValue(requests(), timeout=60)
                return bool(ref.hash == name and not ref.known)

            with ThreadPoolExecutor(count) as threads:
                assert all(threads.map(send, range(count)))
            grown = _peak_memory(proxy.pid) - before
    assert grown < 320 * MIB  # 8 stripes, and what gRPC holds of each stream


def _peak_memory(pid: int) -> int:
    """The most bytes that a process ever had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
