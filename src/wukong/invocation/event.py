"""The events of both functions: one record for the executor, many for the invoker. Pure.

Pages that a record's entries are in travel with it, so that the executor reads them together with the record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

#: The largest event of an asynchronous invocation. AWS takes 1 MiB by now; this much every service like it takes.
EVENT_BYTES = 256 * 1024


def executor_event(job: str, record: str, pages: Sequence[int]) -> bytes:
    """The event of one executor."""
    return _json({"job": job, "record": record, "pages": list(pages)})


def invoker_event(job: str, records: Mapping[str, Sequence[int]]) -> bytes:
    """The event of an invoker that shall start an executor for each record."""
    return _json({"job": job, "records": [[record, list(pages)] for record, pages in records.items()]})


def read_invoker_event(event: Mapping[str, object]) -> tuple[str, dict[str, list[int]]]:
    """Job and records of an invoker's event.

    Raises:
        ValueError: It is not one.
    """
    match event:
        case {"job": str(job), "records": list(records)}:
            try:
                return job, {str(record): [int(page) for page in pages] for record, pages in records}
            except (TypeError, ValueError) as error:
                raise ValueError(f"a record in the event of job {job!r} is not [id, [page, ...]]") from error
        case _:
            raise ValueError('the invoker\'s event is {"job": id, "records": [[id, [page, ...]], ...]}')


def shares(
    job: str, records: Mapping[str, Sequence[int]], invokers: int, limit: int = EVENT_BYTES
) -> list[dict[str, Sequence[int]]]:
    """The records as even shares, one for each of at most `invokers` invokers; more where an event would be too large.

    Args:
        job: Whose records they are.
        records: Record -> the pages of its entries.
        invokers: Invokers at once.
        limit: The bytes of an event.
    """
    items = list(records.items())
    count = min(invokers, len(items))
    size, rest = divmod(len(items), count) if count else (0, 0)
    found: list[dict[str, Sequence[int]]] = []
    start = 0
    for number in range(count):
        end = start + size + (number < rest)
        found += _cut(items[start:end], limit - len(invoker_event(job, {})))
        start = end
    return found


def _cut(items: Sequence[tuple[str, Sequence[int]]], room: int) -> Iterator[dict[str, Sequence[int]]]:
    share: dict[str, Sequence[int]] = {}
    left = room
    for record, pages in items:
        nbytes = len(_json([record, list(pages)])) + 1
        if share and nbytes > left:
            yield share
            share, left = {}, room
        share[record] = pages
        left -= nbytes
    yield share


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
