"""What `benchmarks.fan_out` gives work away to: stores, a zygote, and a process with emulator, proxy and node's agent.

That process is laid out like the control process of an embedded cluster. The executor function is never run: its
invocations are accepted, counted and dropped, since what happens then is the same whichever way they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import wukong_kvs_node.server
import wukong_kvs_proxy.server
import wukong_lambda_emulator.server
from wukong.cluster.valkey import ValkeyServer
from wukong_lambda_emulator.function import Function, Request

SECRETS = {"WUKONG_STORE_PASSWORD": "bench", "WUKONG_SIGNING_KEY": "22" * 32, "WUKONG_TOKEN": "bench"}
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}
EXECUTOR, INVOKER = "wukong-executor", "wukong-invoker"


@dataclass(frozen=True)
class Cluster:
    """A started cluster: what executors are told, and the dialog with the process that counts."""

    environ: Mapping[str, str]
    asks: IO[str]
    answers: IO[str]

    def expect(self, count: int) -> None:
        """Count from now on, up to so many invocations of the executor function."""
        self.asks.write(f"{count}\n")
        self.asks.flush()
        assert self.answers.readline() == "counting\n"

    def wait(self) -> None:
        """Return when the last of them was accepted."""
        assert self.answers.readline() == "done\n"


@contextlib.contextmanager
def started(invoke_seconds: float, invokers: int) -> Iterator[Cluster]:
    """A cluster whose Invoke API takes so long for each request."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wukong-bench-")))
        password = SECRETS["WUKONG_STORE_PASSWORD"]
        mds, kvs = (
            stack.enter_context(ValkeyServer(folder, name, password=password)).address for name in ("mds", "kvs")
        )
        lifeline, held = os.pipe()
        stack.callback(os.close, held)
        zygote = subprocess.Popen(
            [
                *(sys.executable, "-m", "wukong_lambda_emulator.zygote", "--socket", str(folder / "zygote")),
                *("--preload", "wukong_invoker.handler,botocore.session,botocore.auth", "--lifeline", str(lifeline)),
            ],
            pass_fds=[lifeline],
        )
        stack.callback(zygote.wait)
        stack.callback(zygote.terminate)
        os.close(lifeline)
        told = {**SECRETS, "WUKONG_MDS_ADDRESS": mds, "WUKONG_NODE_REDIS_ADDRESS": kvs, "WUKONG_NODE_ID": "kvs-0"}
        command = [sys.executable, "-m", "benchmarks.fan_out_cluster", str(folder), str(invoke_seconds), str(invokers)]
        serving = stack.enter_context(
            subprocess.Popen(
                command,
                env={**os.environ, **CREDENTIALS, **told},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        assert serving.stdin is not None
        assert serving.stdout is not None
        stack.callback(serving.stdin.close)
        addresses = json.loads(serving.stdout.readline())
        yield Cluster({**told, **addresses}, serving.stdin, serving.stdout)


async def serve(folder: str, invoke_seconds: float, invokers: int) -> None:
    """Serve until the input ends; each line of it is a number of invocations to count."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{reserved.getsockname()[1]}"
        told = {"WUKONG_LAMBDA_ENDPOINT": f"http://{listen}", "WUKONG_EXECUTOR_FUNCTION": EXECUTOR}
        functions = {
            EXECUTOR: {
                "handler": "nobody.runs_it",
                "warm": 0,
                "chaos": {"drop": 1.0},
                "invoke_seconds": invoke_seconds,
            },
            INVOKER: {
                "handler": "wukong_invoker.handler.handler",
                "concurrency": invokers,
                "warm": invokers,
                "invoke_seconds": invoke_seconds,
                "environment": {**CREDENTIALS, **told},
            },
        }
        emulator = await wukong_lambda_emulator.server.serve(
            {
                "WUKONG_LISTEN": listen,
                "WUKONG_ZYGOTE_SOCKET": f"{folder}/zygote",
                "WUKONG_LOG_DIR": folder,
                "WUKONG_FUNCTIONS": json.dumps(functions),
            }
        )
    proxy = await wukong_kvs_proxy.server.serve({**os.environ, **told})
    node = await wukong_kvs_node.server.serve({**os.environ, "WUKONG_PROXY_ADDRESS": proxy.address})
    counting = _Counting()
    print(json.dumps({**told, "WUKONG_PROXY_ADDRESS": proxy.address, "WUKONG_INVOKER_FUNCTION": INVOKER}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        counting.left = int(line)
        print("counting", flush=True)
    for service in (node, proxy, emulator):
        await service.close()


class _Counting:
    """Counts accepted invocations of the executor function; says so when the last one has come."""

    def __init__(self) -> None:
        self.left = 0
        send = Function.send

        def counted(function: Function, request: Request) -> str:
            answer = send(function, request)
            if function.name == EXECUTOR:
                self.left -= 1
                if not self.left:
                    print("done", flush=True)
            return answer

        Function.send = counted  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
