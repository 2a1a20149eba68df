"""A channel that was closed. The calls are made in another process: they used to end it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
from wukong.rpc.channel import channel
from wukong.rpc.v1 import data_pb2, data_pb2_grpc, job_pb2, scheduler_pb2, scheduler_pb2_grpc
opened = channel("127.0.0.1:1", "token")
scheduler, data = scheduler_pb2_grpc.SchedulerStub(opened), data_pb2_grpc.DataStub(opened)
opened.close()
try:
    CALL
except ValueError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "call",
    [
        "scheduler.GetJob(job_pb2.JobRef(job_id='j'), timeout=5)",
        "next(scheduler.WatchJob(scheduler_pb2.WatchJobRequest(job_id='j'), timeout=5))",
        "data.PutValue(iter([data_pb2.PutValueRequest()]), timeout=5)",
    ],
)
def test_a_call_on_a_closed_channel_raises(call: str) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM.replace("CALL", call)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "closed" in done.stdout.lower()
