"""The published call and the listings of the documentation, with the fixed ports that they name.

Each program runs in a network namespace of its own, where no other program has the ports.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LISTING = re.compile(r"^```text\n(import dask.*?)^```$", re.MULTILINE | re.DOTALL)

#: Ends in `exec`, so that signals reach the program.
ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket() as any_socket:
    request = struct.pack("16sH14x", b"lo", 1)  # the flag IFF_UP
    fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""

CALL = """
import sys, warnings
from pathlib import Path

import dask.array as da
import numpy as np
from wukong import Client, LegacyOptionWarning, LocalCluster
from plain_store import keys, plain_store

OPTIONS = dict(
    host="127.0.0.1:8786", proxy_address="127.0.0.1", proxy_port=8989, num_lambda_invokers=4, chunk_large_tasks=False,
    n_workers=0, use_local_proxy=True, local_proxy_path="/home/ec2-user/Wukong/KV Store Proxy/proxy.py",
    use_fargate=False)


def check(**more):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        local_cluster = LocalCluster(**OPTIONS, **more)
    assert [warning.category for warning in caught] == [LegacyOptionWarning], caught
    assert caught[0].message.option == "local_proxy_path"
    assert local_cluster.address == "127.0.0.1:8786"
    client = Client(local_cluster)
    X = da.random.default_rng(5).random((20_000, 16), chunks=(2_000, 16))
    q, r = da.linalg.tsqr(X)
    np.testing.assert_allclose(r.compute(scheduler=client.get), r.compute(scheduler="synchronous"), atol=1e-9)
    client.close()
    local_cluster.close()


check()
with plain_store(Path.cwd(), 6379) as store:
    store.call("SET", "mine", "1")
    check(redis_endpoints=[("127.0.0.1", 6379)])
    assert keys(store) == ["mine"]
"""

AROUND = """
import warnings
from pathlib import Path

from plain_store import keys, plain_store

with plain_store(Path.cwd(), 6379) as store, warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
{listing}
    assert b"cmdstat_set:" in store.call("INFO", "commandstats"), "no value was stored in the endpoint"
    legacy = [str(warning.message) for warning in caught]
    assert [text.partition("=")[0] for text in legacy] == [
        "LocalCluster(host", "LocalCluster(proxy_address", "LocalCluster(local_proxy_path"], legacy
    assert client.report().tasks > 32, client.report()  # the blocks, and what makes them one
    client.close()
    local_cluster.close()
    assert keys(store) == []
"""


def _run(program: str, folder: Path) -> None:
    (folder / "program.py").write_text(program)
    own = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
    done = subprocess.run(
        ["unshare", *own, sys.executable, "-c", ALONE, "-W", "error", "program.py"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE / "standins")},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_published_call_with_and_without_a_redis(tmp_path: Path) -> None:
    _run(CALL, tmp_path)


def test_the_listing_of_the_documentation_runs_as_printed(tmp_path: Path) -> None:
    (listing,) = LISTING.findall((HERE.parents[1] / "docs/published-keywords.md").read_text())
    indented = "".join(f"    {line}" if line.strip() else line for line in listing.splitlines(keepends=True))
    _run(AROUND.format(listing=indented), tmp_path)
