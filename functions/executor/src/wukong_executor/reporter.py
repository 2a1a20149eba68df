"""Carries out reports: values become marks or offers, a large report becomes several calls within the batch limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from wukong.engine.instructions import Report, ReportAnswer
from wukong.mds.store import Answer, Arrival, Status, Sync, Synced, Verdict
from wukong_executor.memory import Memory, inline_limit

#: Limits of one call.
BATCH_MARKS = 500
BATCH_BYTES = 256 * 1024

#: A claim of more edges than this brings no marks.
WIDE = 256

#: From how many bytes on writing a value takes longer than asking some times whether that is needed.
LARGE_BYTES = 1024 * 1024


@dataclass(slots=True)
class Reported:
    """The answers to a whole report.

    Attributes:
        status: Whether this executor still holds its record.
        room: How many more records the job may have.
        ended: The record has ended.
        forgotten: It has not, although nothing of this report is in the way: the store has forgotten earlier ones.
        answers: What became of each fan-in.
        stored: The marks of values that were stored for it.
        large: Values that were offered and are large.
    """

    status: Status
    room: int = 0
    ended: bool = False
    forgotten: bool = False
    answers: list[ReportAnswer] = field(default_factory=list)
    stored: dict[int, bytes] = field(default_factory=dict)
    large: set[int] = field(default_factory=set)


def report(
    instruction: Report,
    memory: Memory,
    send: Callable[[Sync], Synced],
    json_results: bool,
    delays: bool = True,
    large_bytes: int = LARGE_BYTES,
) -> Reported:
    """Send a report through `send`, in as many calls as it needs; the last one carries the end.

    Values that no mark carries are offered, or stored first if nothing `delays`. From `large_bytes` on they are large.
    """
    outcome = Reported(Status.OK)
    calls = list(_calls(instruction, memory, json_results, delays, large_bytes, outcome))
    answered: dict[int, tuple[Arrival, Answer]] = {}
    open_offers = False
    for position, call in enumerate(calls):
        last = position == len(calls) - 1
        end = instruction.end and last and not open_offers
        synced = send(replace(call, end=end))
        if synced.status is not Status.OK:
            return Reported(synced.status)
        outcome.room, outcome.ended = synced.room, synced.ended
        for arrival, answer in zip(call.arrivals, synced.answers, strict=True):
            _, before = answered.get(arrival.child, (None, None))
            if before and before.verdict is Verdict.CLAIMED and answer.verdict is Verdict.NOT_YET:
                answer = before  # the store forgot the claim just now, and gets it again before the next report
            answered[arrival.child] = (arrival, answer)
            open_offers |= answer.verdict is Verdict.CLAIMED or bool(arrival.offers)
        outcome.forgotten = end and not (synced.ended or open_offers)
    marked: dict[int, list[int]] = {}
    for call in calls:
        for arrival in call.arrivals:
            marked.setdefault(arrival.child, []).extend(edge for edge, _ in arrival.marks)
    for child, (arrival, answer) in answered.items():
        here = {edge for part in (marked[child], arrival.offers) for edge in part}
        marks = None if arrival.need > WIDE else [mark for mark in answer.marks if mark[0] not in here]
        outcome.answers.append(ReportAnswer(child, answer.verdict.value, marked[child], list(arrival.offers), marks))
    return outcome


def _calls(
    instruction: Report, memory: Memory, json_results: bool, delays: bool, large_bytes: int, outcome: Reported
) -> Iterator[Sync]:
    """Cut a report into calls. A fan-in's offers go with its last part, where its verdict counts.

    The outcome gets the marks of what is stored, and which of the offered values are large.
    """
    storing = outcome.stored
    arrivals: list[Arrival] = []
    results: list[tuple[int, bytes]] = []
    count = size = 0
    for fan_in in instruction.arrivals:
        limit = inline_limit(fan_in.need)
        marks: list[tuple[int, bytes]] = []
        offers: list[int] = []
        for edge, parent, stored in fan_in.edges:
            mark = stored or memory.inline(parent, limit)
            if mark is None and not delays:
                if parent not in storing:
                    storing[parent] = memory.store(parent)
                mark = storing[parent]
            if mark is None:
                offers.append(edge)
                if memory.nbytes(parent) >= large_bytes:
                    outcome.large.add(parent)
                continue
            marks.append((edge, mark))
            count += 1
            size += len(mark)
            if count >= BATCH_MARKS or size >= BATCH_BYTES:
                yield Sync([*arrivals, Arrival(fan_in.child, fan_in.need, marks)], results)
                arrivals, results, marks, count, size = [], [], [], 0, 0
        arrivals.append(Arrival(fan_in.child, fan_in.need, marks, offers))
    for task, stored in instruction.results:
        mark = memory.result(task, json_results, stored)
        results.append((task, mark))
        count += 1
        size += len(mark)
        if count >= BATCH_MARKS or size >= BATCH_BYTES:
            yield Sync(arrivals, results)
            arrivals, results, count, size = [], [], 0, 0
    yield Sync(arrivals, results)
