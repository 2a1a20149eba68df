"""Starts executors for records: asynchronous invocations of the executor function, for very many of the invoker."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import uniform
from time import sleep

from wukong import settings
from wukong.invocation.event import executor_event, invoker_event
from wukong.invocation.refusal import BUSY
from wukong_executor.environment import Environment

log = logging.getLogger(__name__)

#: Invocations under way at once from one executor.
AT_ONCE = 8

#: Requests for one record before it is left to the scheduler.
ATTEMPTS = 3

#: The most seconds before a refused request is made again, and before one that was one too many; each further pause can
#: be twice as long. As AWS's own clients wait: executors that were refused together do not ask together again.
PAUSE, BUSY_PAUSE = 0.05, 1.0


def invoke(environment: Environment, job: str, records: Mapping[str, Sequence[int]]) -> None:
    """Invoke the function once per record, telling it the pages that the record's entries are in.

    A refused invocation is logged and left to the scheduler's sweep, which looks at every record that nobody began:
    the record says all that has to be done, so nothing is lost, only late. What a refused invoker should have started
    is started from here.
    """
    shares = environment.spreading.shares(job, records)
    if not shares:
        _invoke_directly(environment, job, records)
        return
    for share in shares:
        if refused := _post(environment, environment.spreading.function, invoker_event(job, share)):
            log.warning("no invoker for %d records of job %s (%s); they are invoked directly", len(share), job, refused)
            _invoke_directly(environment, job, share)


def _invoke_directly(environment: Environment, job: str, records: Mapping[str, Sequence[int]]) -> None:
    def start(record: str) -> None:
        if refused := _post(environment, environment.function, executor_event(job, record, records[record])):
            log.warning("record %s of job %s was not invoked (%s); the scheduler will", record, job, refused)

    if len(records) == 1:
        start(*records)
    else:
        with ThreadPoolExecutor(min(AT_ONCE, len(records))) as pool:
            list(pool.map(start, records))


def _post(environment: Environment, function: str, payload: bytes) -> str:
    """Invoke a function, in several attempts where that can help; returns why not, or nothing."""
    said = ""
    try:
        requests = environment.requests(function)
        for attempt in range(ATTEMPTS):
            refused = requests.post(payload, settings.TRACE.get())
            if refused is None:
                return ""
            said = str(refused)
            if not refused.passes:
                break
            if attempt < ATTEMPTS - 1:
                sleep(uniform(0, (BUSY_PAUSE if refused.code in BUSY else PAUSE) * 2**attempt))
    except Exception as error:  # whatever it is, the record says all that has to be done
        return str(error) or repr(error)
    return said
