"""A component as a process: it ends when told to, whatever it is at."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
from wukong.rpc.service import run

class Started:
    address = "here"
    async def close(self):
        print("closed", flush=True)

async def waits(environ):
    print("waiting", flush=True)
    await asyncio.sleep(3600)

async def starts(environ):
    print("waiting", flush=True)
    return Started()

async def fails(environ):
    raise ValueError("no such setting")

run({component}, "wukong")
"""


def component(name: str) -> "subprocess.Popen[str]":
    program = PROGRAM.replace("{component}", name)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("name", "last"), [("waits", ""), ("starts", "closed\n")])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_by_a_signal_started_or_not(name: str, last: str, number: signal.Signals) -> None:
    with component(name) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (0, last)


def test_a_component_that_cannot_start_says_why() -> None:
    with component("fails") as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "ValueError: no such setting" in said
