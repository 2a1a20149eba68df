"""Starts executors for records: asynchronous invocations of the executor function, for very many of the invoker."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from wukong.invocation.event import executor_event, invoker_event
from wukong_executor.environment import Environment

log = logging.getLogger(__name__)

#: Invocations under way at once from one executor.
AT_ONCE = 8


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
    client = environment.lambda_client
    for share in shares:
        payload = invoker_event(job, share).decode()
        try:
            client.invoke(FunctionName=environment.spreading.function, InvocationType="Event", Payload=payload)
        except Exception as error:
            log.warning("no invoker for %d records of job %s (%s); they are invoked directly", len(share), job, error)
            _invoke_directly(environment, job, share)


def _invoke_directly(environment: Environment, job: str, records: Mapping[str, Sequence[int]]) -> None:
    client = environment.lambda_client

    def start(record: str) -> None:
        payload = executor_event(job, record, records[record]).decode()
        try:
            client.invoke(FunctionName=environment.function, InvocationType="Event", Payload=payload)
        except Exception as error:
            log.warning("record %s of job %s was not invoked (%s); the scheduler will", record, job, error)

    if len(records) == 1:
        start(*records)
    else:
        with ThreadPoolExecutor(min(AT_ONCE, len(records))) as pool:
            list(pool.map(start, records))
