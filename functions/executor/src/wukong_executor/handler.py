"""The Lambda function: become a record's holder, or stop before anything heavy is imported.

The event is `{"job": id, "record": id}` and may name `"pages"` that the entries are in, which are then fetched in the
same round trip. Deliveries of one record are interchangeable: a duplicate finds the lease held, a late one finds the
record gone.
"""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from math import inf
from time import perf_counter
from typing import Any

from wukong import settings
from wukong.errors import WukongError
from wukong.invocation.function_secret import with_secret
from wukong.mds.failure import Failure
from wukong.mds.store import Status
from wukong.mds.tokens import new_token
from wukong_executor.environment import Environment
from wukong_executor.tally import moved

log = logging.getLogger(__name__)


@cache
def _environment() -> Environment:
    told = with_secret(os.environ)
    logging.getLogger("wukong_executor").setLevel(settings.LOG_LEVEL.get(told))
    environment = Environment(told)
    if sys.platform == "linux":  # elsewhere a process cannot be forked with all that was loaded
        environment.start_pulse()
    return environment


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Walk one record to its end; returns what became of it."""
    try:
        return _serve(event, context)
    except WukongError:
        raise
    except Exception as error:
        environment = _environment()
        if environment.pulse is None:
            raise
        environment.end(f"it does not work any more: {error!r}")


def _serve(event: dict[str, Any], context: Any) -> dict[str, Any]:
    started = perf_counter()
    environment = _environment()
    token = new_token(getattr(context, "aws_request_id", ""))
    cold, environment.cold = environment.cold, False
    job, record, pages = event["job"], event["record"], event.get("pages", ())
    before = moved(environment.mds)
    begun = environment.mds.begin(job, record, token, environment.lease_seconds, pages, cold)
    if begun.status is not Status.OK:
        log.debug("record %s of job %s: %s", record, job, begun.status.value)
        return {"status": begun.status.value}
    log.debug("record %s of job %s: begun", record, job)
    from wukong_executor import late
    from wukong_executor.executor import Executor
    from wukong_executor.health import Health
    from wukong_executor.manifest import refusal
    from wukong_executor.time_left import TimeLeft

    if begun.runtime and (reason := refusal(begun.runtime)):
        environment.mds.fail(job, record, token, begun.generation, Failure("VersionMismatch", reason))
        log.debug("record %s of job %s: refused", record, job)
        return {"status": "refused"}

    memory_limit = int(getattr(context, "memory_limit_in_mb", 0) or 0) << 20
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    time_left = TimeLeft(remaining() / 1000 if remaining else inf, perf_counter(), begun.begins)
    executor = Executor(environment, job, record, token, begun, pages, memory_limit, started, time_left, before)
    pulse = environment.pulse
    health = None
    if pulse is not None:
        pulse.hold(job, record, token, begun.generation, environment.lease_seconds)
        health = Health((0, 1, 2, pulse.pipe))
    status = ""
    try:
        status = executor.run()
    finally:
        if begun.ring is not None and (status != "ended" or executor.stopped):
            late.remove(environment.mds, environment.kvs(begun.ring), job)
        if health is not None and (broken := health.broken()):
            environment.end(broken)
        if health is not None and executor.failed_unexpectedly:
            environment.end("an executor failed unexpectedly in it")
        if pulse is not None:
            pulse.rest()
        environment.heap.rest()
    log.debug("record %s of job %s: %s", record, job, status)
    return {"status": status}
