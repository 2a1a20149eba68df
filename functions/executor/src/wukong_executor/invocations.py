"""Starts executors for records: asynchronous invocations of the executor function."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from wukong_executor.environment import Environment

log = logging.getLogger(__name__)

#: Invocations under way at once from one executor.
AT_ONCE = 8


def invoke(environment: Environment, job: str, records: Mapping[str, Sequence[int]]) -> None:
    """Invoke the function once per record, telling it the pages that the record's entries are in.

    A refused invocation is logged and left to the scheduler's sweep, which looks at every record that nobody began:
    the record says all that has to be done, so nothing is lost, only late.
    """
    client = environment.lambda_client

    def start(record: str) -> None:
        payload = json.dumps({"job": job, "record": record, "pages": records[record]})
        try:
            client.invoke(FunctionName=environment.function, InvocationType="Event", Payload=payload)
        except Exception as error:
            log.warning("record %s of job %s was not invoked (%s); the scheduler will", record, job, error)

    if len(records) == 1:
        start(*records)
    else:
        with ThreadPoolExecutor(min(AT_ONCE, len(records))) as pool:
            list(pool.map(start, records))
