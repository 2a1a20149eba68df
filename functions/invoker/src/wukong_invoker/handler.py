"""The Lambda function: one asynchronous invocation of the executor for each record that the event names.

The event is `{"job": id, "records": [[record, [page, ...]], ...]}`. A record that is refused for good, or that there
was no time for, is left to the scheduler's sweep: it says all that has to be done, so nothing is lost, only late. So is
everything when this invocation dies; and one that is delivered twice does no harm, since invocations of one record are
interchangeable.
"""

from __future__ import annotations

import logging
import os
from functools import cache
from time import monotonic
from typing import Any

from wukong import settings
from wukong.invocation.api import InvokeApi
from wukong.invocation.event import read_invoker_event
from wukong.invocation.function_secret import with_secret
from wukong.invocation.pacing import Pacing
from wukong_invoker.crew import Crew
from wukong_invoker.sharing import processes

#: Seconds before the time limit of the invocation at which it ends by itself.
MARGIN = 1.0

_log = logging.getLogger(__name__)


@cache
def _crew(memory_mb: int) -> Crew:
    told = with_secret(os.environ)
    api = InvokeApi(settings.LAMBDA_ENDPOINT.get(told), settings.EXECUTOR_FUNCTION.get(told))
    # Others of one start invoke at the same time.
    pacing = Pacing.read(told).share(max(1, settings.INVOKERS.whole(told)))
    return Crew(api, processes(memory_mb, os.cpu_count()), pacing)


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Start executors; returns for how many records that was asked for and accepted, and how many are left."""
    until = monotonic() + context.get_remaining_time_in_millis() / 1000 - MARGIN
    job, records = read_invoker_event(event)
    left = _crew(int(context.memory_limit_in_mb)).start(job, records, until, settings.TRACE.get())
    if left:
        _log.warning("%d of %d records of job %s are left to the scheduler's sweep", left, len(records), job)
    return {"invoked": len(records) - left, "left": left}
