"""Starts environments as the emulator does: a zygote with all that an embedded cluster's has loaded, and one Runtime
API for each environment, which waits for its first request and then ends it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

from wukong.cluster.interpreter import python_module
from wukong.cluster.plan import PRELOAD, children_environ
from wukong_lambda_emulator.environment import Environment
from wukong_lambda_emulator.invocation import Invocation
from wukong_lambda_emulator.launch import Launch
from wukong_lambda_emulator.runtime_api import RuntimeApi
from wukong_lambda_emulator.zygote_provider import ZygoteProvider

_HANDLER = "wukong_executor.handler.handler"
#: Seconds after which an environment is taken to have failed.
_PATIENCE = 60.0


class _FirstRequest:
    """Stands for an environment: notes when it asks for an invocation, for which it then waits in vain."""

    def __init__(self) -> None:
        self.came: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.over = asyncio.Event()

    async def next(self) -> Invocation | None:
        self.came.set_result(time.perf_counter())
        await self.over.wait()
        return None


def environment_starts(samples: int) -> list[float]:
    """Seconds from the request for an environment to its first request for an invocation, one after the other.

    Raises:
        TimeoutError: An environment never came.
    """
    with tempfile.TemporaryDirectory(prefix="wukong-bench-") as folder:
        path = str(Path(folder) / "zygote")
        lifeline, held = os.pipe()
        zygote = subprocess.Popen(
            python_module(
                "wukong_lambda_emulator.zygote",
                [entry for entry in sys.path if entry],
                *("--socket", path, "--preload", ",".join(PRELOAD), "--lifeline", str(lifeline)),
            ),
            env=children_environ(os.environ, 1),
            pass_fds=[lifeline],
        )
        try:
            return asyncio.run(_starts(path, samples))
        finally:
            os.close(held)
            os.close(lifeline)
            zygote.wait()


async def _starts(path: str, samples: int) -> list[float]:
    provider = ZygoteProvider(path)
    try:
        taken = [await asyncio.wait_for(_start(provider), _PATIENCE) for _ in range(samples + 1)]
    finally:
        await provider.close()
    return taken[1:]  # the first one waited for the zygote


async def _start(provider: ZygoteProvider) -> float:
    first = _FirstRequest()
    api = RuntimeApi(cast("Environment", first))
    variables = {
        "_HANDLER": _HANDLER,
        "AWS_LAMBDA_RUNTIME_API": await api.listen(),
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
    }
    began = time.perf_counter()
    sandbox = await provider.start(Launch(_HANDLER, variables, "", 2048 << 20), sys.stderr.fileno())
    try:
        came = await first.came
    finally:
        sandbox.kill()
        await sandbox.exited
        first.over.set()
        await api.close()
    return came - began
