"""A queue's decisions, without clock and without I/O."""

from __future__ import annotations

import asyncio
import hashlib

from wukong_lambda_emulator.queues import Queues
from wukong_lambda_emulator.sqs_queue import Queue


def queue(**settings: int) -> Queue:
    return Queue("q", 0.0, **settings)


def bodies(it: Queue, now: float, most: int = 10, hidden: float = 30.0) -> list[str]:
    return [message.body for message in it.receive(most, hidden, now)]


def test_messages_come_in_order_and_no_more_than_asked_for() -> None:
    it = queue()
    for number in range(5):
        it.send(str(number), 1.0)
    assert bodies(it, 2.0, most=3) == ["0", "1", "2"]
    assert it.counts(2.0) == (2, 3)
    assert bodies(it, 3.0) == ["3", "4"]
    assert bodies(it, 4.0) == []


def test_a_received_message_that_is_not_deleted_comes_again() -> None:
    it = queue()
    it.send("a", 1.0)
    (first,) = it.receive(1, 30.0, 2.0)
    assert (first.received, first.first_received) == (1, 2.0)
    handle = first.handle
    assert it.wake == 32.0
    assert bodies(it, 31.9) == []
    (again,) = it.receive(1, 30.0, 32.0)
    assert (again.id, again.received, again.first_received) == (first.id, 2, 2.0)
    assert it.delete(handle)  # the handle of the first receipt is out of date
    assert it.counts(40.0) == (0, 1)
    assert it.delete(again.handle)
    assert it.counts(40.0) == (0, 0)
    assert bodies(it, 100.0) == []


def test_what_is_no_handle_is_told_apart_from_an_old_one() -> None:
    it = queue()
    it.send("a", 1.0)
    (message,) = it.receive(1, 30.0, 2.0)
    assert it.delete(message.handle)
    assert it.delete(message.handle)
    assert not it.delete("nonsense")


def test_messages_are_forgotten_after_their_time_wherever_they_are() -> None:
    it = queue(retention_seconds=60)
    it.send("received", 0.0)
    it.receive(1, 10.0, 1.0)
    it.send("waiting", 0.5)
    it.send("later", 30.0)
    assert it.counts(59.9) == (3, 0)
    assert bodies(it, 60.5) == ["later"]
    assert it.counts(90.0) == (0, 0)


def test_a_message_may_stay_visible() -> None:
    it = queue()
    it.send("a", 0.0)
    assert bodies(it, 1.0, hidden=0.0) == ["a"]
    assert bodies(it, 1.0, hidden=0.0) == ["a"]


def test_the_digest_is_the_bodys() -> None:
    assert queue().send("größe", 0.0).digest == hashlib.md5("größe".encode()).hexdigest()


def test_who_waits_is_sent_away_when_the_queues_close() -> None:
    async def wait() -> list[object]:
        queues = Queues("us-east-1")
        queues.add(queue())
        waiting = [
            asyncio.create_task(queues.receive(queues["q"], 1, 30.0, seconds=1000.0, gone=lambda: False))
            for _ in range(3)
        ]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        queues.close()
        async with asyncio.timeout(5):
            return await asyncio.gather(*waiting)

    assert asyncio.run(wait()) == [[], [], []]


def test_each_message_goes_to_one_of_those_who_wait_and_to_none_who_left() -> None:
    async def wait() -> list[list[str]]:
        queues = Queues("us-east-1")
        queues.add(queue())
        left = {0}
        waiting = [
            asyncio.create_task(
                queues.receive(queues["q"], 1, 30.0, seconds=1000.0, gone=lambda number=number: number in left)
            )
            for number in range(3)
        ]
        await asyncio.sleep(0)
        for body in "ab":
            queues.send(queues.arn("q"), body)
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return [[message.body for message in messages] for messages in await asyncio.gather(*waiting)]

    none, *others = asyncio.run(wait())
    assert none == []
    assert sorted(others) == [["a"], ["b"]]
