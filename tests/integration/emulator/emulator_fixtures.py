"""Handlers that the emulator's tests run in real environments. Imported there, never by a test."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ENVIRONMENTS_NOISE = (random.random(), float(np.random.random()))


def echo(event: Any, context: Any) -> Any:
    return event


def pid(event: Any, context: Any) -> int:
    return os.getpid()


def describe(event: Any, context: Any) -> dict[str, Any]:
    return {
        "request": context.aws_request_id,
        "name": context.function_name,
        "memory": context.memory_limit_in_mb,
        "arn": context.invoked_function_arn,
        "left": context.get_remaining_time_in_millis(),
        "custom": context.client_context.custom if context.client_context else None,
        "variable": os.environ.get("COLOUR"),
        "zone": time.tzname[0],
        "directory": os.getcwd(),
        "main_thread": threading.current_thread() is threading.main_thread(),
        "stdin": sys.stdin.read(),
        "leader": os.getsid(0) == os.getpid(),
        "descriptors": sorted(_descriptors()),
        "noise": ENVIRONMENTS_NOISE,
    }


def _descriptors() -> Iterator[str]:
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # The listing's own.
            yield os.readlink(f"/proc/self/fd/{fd}").split(":")[0]


def variables(event: list[str], context: Any) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in event}


def sizes(event: Any, context: Any) -> Any:
    """Answers with a text of the asked-for length, or says how long the one is that came."""
    return "x" * event if isinstance(event, int) else len(event)


def speak(event: Any, context: Any) -> None:
    for line in event:
        print(line)
    os.write(2, b"no line end")


def fail(event: Any, context: Any) -> None:
    raise LookupError("nothing here")


def sleep(event: float, context: Any) -> None:
    print("asleep", flush=True)
    time.sleep(event)


def end(event: str, context: Any) -> None:
    """Ends the environment in the way asked for."""
    print("ending", flush=True)
    match event:
        case "exit 3":
            sys.exit(3)
        case "exit text":
            sys.exit("a reason")
        case "exit 0":
            os._exit(0)
        case "interrupt":
            raise KeyboardInterrupt
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)


def grow(event: dict[str, Any], context: Any) -> int:
    """Holds so many MB for a while: itself, in a child of its own, or in pages shared with a forked child."""
    match event["where"]:
        case "child":
            code = f"import time; held = bytearray(b'x') * {event['mb']} * 2**20; time.sleep({event['seconds']})"
            subprocess.run([sys.executable, "-c", code], check=True)
        case "here":
            held = bytearray(b"x") * (event["mb"] * 2**20)
            time.sleep(event["seconds"])
            return len(held)
        case "shared":
            held = bytearray(b"x") * (event["mb"] * 2**20)
            child = os.fork()
            if child == 0:
                time.sleep(event["seconds"])
                os._exit(0)
            os.waitpid(child, 0)
            return len(held)
    return 0


def record(event: dict[str, Any], context: Any) -> None:
    """Appends a line to a file, in one write; fails afterwards if asked to."""
    fd = os.open(event["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, f"{event['line']}\n".encode())
    os.close(fd)
    if event.get("fail"):
        raise LookupError("failed on purpose")


def wait_for(event: str, context: Any) -> str:
    """Waits until a file is there, after it has made `FILE.begun`."""
    Path(event + ".begun").touch()
    while not Path(event).exists():
        time.sleep(0.002)
    return "seen"


def have_child(event: Any, context: Any) -> list[int]:
    """Leaves a process behind, as an executor's pulse would be."""
    return [os.getpid(), subprocess.Popen(["sleep", "300"]).pid]


def recurse(event: dict[str, str], context: Any) -> None:
    """Invokes itself for ever, as an executor that hands over might."""
    import boto3

    record({"file": event["file"], "line": "again"}, context)
    client = boto3.client(
        "lambda",
        endpoint_url=os.environ["ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key="anything",
    )
    import json

    client.invoke(FunctionName=context.function_name, InvocationType="Event", Payload=json.dumps(event))
