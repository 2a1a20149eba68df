"""Cancels the job of a user who pressed Ctrl-C."""

from __future__ import annotations

import time

import grpc

from wukong.client.connection import Connection
from wukong.rpc.v1 import scheduler_pb2

#: Seconds between attempts to cancel a job that the scheduler does not know yet.
_SUBMITTING = (0.05, 0.2, 0.0)


def cancel(connection: Connection, job_id: str) -> None:
    """Cancel a job, as well as that goes: the interrupt is what the user should see, not what else is wrong.

    A submission that was interrupted may still be on its way, so this tries again for a moment.
    """
    request = scheduler_pb2.CancelJobRequest(job_id=job_id, reason="interrupted by the user")

    def attempts() -> None:
        for pause in _SUBMITTING:
            try:
                connection.scheduler.CancelJob(request, timeout=connection.timeout)
                return
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.NOT_FOUND:
                    return
            time.sleep(pause)

    connection.aside.call(attempts)
