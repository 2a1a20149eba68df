from __future__ import annotations

import random
from dataclasses import replace

import pytest

from wukong_lambda_emulator.events import (
    Answered,
    ConcurrencySet,
    EventsConfigured,
    Exited,
    Invoked,
    Polled,
    Prewarmed,
    Ticked,
    Undelivered,
)
from wukong_lambda_emulator.failure import Failure, exited, timed_out, unavailable
from wukong_lambda_emulator.instructions import (
    Deliver,
    Expire,
    Finish,
    Instruction,
    Kill,
    Postpone,
    Start,
    Throttle,
)
from wukong_lambda_emulator.limits import Limits
from wukong_lambda_emulator.pool import REST_SECONDS, Pool, State

LIMITS = Limits(
    concurrency=2,
    timeout=5.0,
    start_timeout=10.0,
    idle_seconds=60.0,
    retries=0,
    retry_seconds=60.0,
    maximum_event_age=300.0,
)
CRASH = exited(1)
RAISED = Failure("ValueError", "no")


def pool(**changes: float) -> Pool:
    return Pool(replace(LIMITS, **changes))  # type: ignore[arg-type]


def warm(pool: Pool, *, now: float = 0.0) -> None:
    """Bring the pool's first environment to IDLE."""
    assert pool.handle(Prewarmed(1), now) == [Start(1)]
    assert pool.handle(Polled(1), now) == []


def test_a_first_invocation_starts_an_environment_and_is_delivered_when_it_polls() -> None:
    it = pool()
    assert it.handle(Invoked("a", False), 0) == [Start(1)]
    assert it.handle(Polled(1), 1) == [Deliver(1, "a")]
    assert it.handle(Answered(1), 2) == [Finish("a", None)]
    assert it.handle(Polled(1), 2) == []
    assert it.state(1) is State.IDLE


def test_a_warm_environment_is_used_again() -> None:
    it = pool()
    warm(it)
    assert it.handle(Invoked("a", False), 1) == [Deliver(1, "a")]


def test_the_most_recently_used_environment_is_preferred() -> None:
    it = pool()
    it.handle(Prewarmed(2), 0)
    it.handle(Polled(2), 0)
    it.handle(Polled(1), 1)
    assert it.handle(Invoked("a", False), 2) == [Deliver(1, "a")]
    it.handle(Answered(1), 3)
    it.handle(Polled(1), 3)
    assert it.handle(Invoked("b", False), 4) == [Deliver(1, "b")]


def test_a_synchronous_invocation_beyond_the_concurrency_is_throttled() -> None:
    it = pool()
    assert it.handle(Invoked("a", False), 0) == [Start(1)]
    assert it.handle(Invoked("b", False), 0) == [Start(2)]
    assert it.handle(Invoked("c", False), 0) == [Throttle("c")]


def test_an_asynchronous_invocation_beyond_the_concurrency_waits() -> None:
    it = pool(concurrency=1)
    assert it.handle(Invoked("a", True), 0) == [Start(1)]
    assert it.handle(Invoked("b", True), 0) == []
    assert it.handle(Polled(1), 0) == [Deliver(1, "a")]
    assert it.handle(Answered(1), 1) == [Finish("a", None)]
    assert it.handle(Polled(1), 1) == [Deliver(1, "b")]


def test_a_resting_environment_does_not_cause_a_throttle_nor_a_second_environment() -> None:
    it = pool(concurrency=1)
    warm(it)
    it.handle(Invoked("a", False), 1)
    assert it.handle(Answered(1), 2) == [Finish("a", None)]
    # The caller had its answer and asks again before the runtime polls.
    assert it.handle(Invoked("b", False), 2) == []
    assert it.handle(Polled(1), 2.001) == [Deliver(1, "b")]


def test_an_environment_that_rests_for_too_long_is_not_waited_for() -> None:
    it = pool()
    warm(it)
    it.handle(Invoked("a", False), 1)
    it.handle(Answered(1), 2)
    assert it.handle(Invoked("b", False), 2) == []
    assert it.wake == 2 + REST_SECONDS
    assert it.handle(Ticked(), 2 + REST_SECONDS) == [Start(2)]
    assert it.handle(Polled(2), 2.2) == [Deliver(2, "b")]


def test_an_environment_that_never_polls_again_is_ended_at_its_invocations_deadline() -> None:
    it = pool()
    warm(it)
    it.handle(Invoked("a", False), 1)
    it.handle(Answered(1), 2)
    assert it.wake == 6
    assert it.handle(Ticked(), 6) == [Kill(1)]
    assert it.handle(Exited(1, CRASH), 6) == []
    assert it.state(1) is None


def test_a_timeout_ends_the_environment_and_the_invocation() -> None:
    it = pool()
    warm(it)
    it.handle(Invoked("a", False), 1)
    assert it.wake == 6
    assert it.handle(Ticked(), 6) == [Kill(1), Finish("a", timed_out(5.0))]
    # It is dying; it gets nothing any more, and a new one is started beside it.
    assert it.handle(Invoked("b", False), 6) == [Start(2)]
    assert it.handle(Exited(1, CRASH), 6) == []


def test_an_early_tick_changes_nothing() -> None:
    it = pool()
    warm(it)
    it.handle(Invoked("a", False), 1)
    assert it.handle(Ticked(), 5.9) == []
    assert it.wake == 6


def test_environments_stay_within_the_concurrency_until_a_killed_one_is_gone() -> None:
    it = pool(concurrency=1)
    warm(it)
    it.handle(Invoked("a", False), 1)
    it.handle(Ticked(), 6)
    assert it.handle(Invoked("b", False), 6) == []
    assert it.handle(Exited(1, CRASH), 7) == [Start(2)]


def test_an_idle_environment_is_reaped() -> None:
    it = pool()
    warm(it)
    assert it.handle(Ticked(), 59.9) == []
    assert it.handle(Ticked(), 60) == [Kill(1)]
    assert it.state(1) is State.ENDING
    assert it.wake is None
    assert it.handle(Exited(1, CRASH), 60) == []
    assert it.state(1) is None


def test_an_environment_that_ends_fails_its_invocation() -> None:
    it = pool()
    warm(it)
    it.handle(Invoked("a", False), 1)
    assert it.handle(Exited(1, CRASH), 2) == [Finish("a", CRASH)]


def test_an_idle_environment_that_ends_is_forgotten() -> None:
    it = pool()
    warm(it)
    assert it.handle(Exited(1, CRASH), 1) == []
    assert it.handle(Invoked("a", False), 2) == [Start(2)]


def test_an_initialisation_is_tried_twice() -> None:
    it = pool()
    it.handle(Invoked("a", False), 0)
    assert it.handle(Exited(1, CRASH), 1) == [Start(2)]
    assert it.handle(Exited(2, CRASH), 2) == [Finish("a", CRASH)]


def test_an_initialisation_that_hangs_is_ended_and_tried_again() -> None:
    it = pool()
    it.handle(Invoked("a", False), 0)
    assert it.wake == 10
    assert it.handle(Ticked(), 10) == [Kill(1), Start(2)]
    assert it.handle(Exited(1, CRASH), 10) == []
    assert it.handle(Ticked(), 20) == [Kill(2), Finish("a", timed_out(10.0))]


def test_a_prewarmed_environment_that_fails_is_not_started_again_by_itself() -> None:
    it = pool()
    it.handle(Prewarmed(1), 0)
    assert it.handle(Exited(1, CRASH), 1) == []
    assert it.wake is None


def test_prewarming_stays_within_the_concurrency() -> None:
    assert pool().handle(Prewarmed(5), 0) == [Start(1), Start(2)]


def test_an_invocation_that_no_environment_can_be_had_for_fails_at_once() -> None:
    it = pool()
    trouble = unavailable("no zygote")
    it.handle(Invoked("a", False), 0)
    assert it.handle(Exited(1, trouble, unavailable=True), 1) == [Finish("a", trouble)]


def test_an_asynchronous_one_is_put_off_instead_without_using_up_its_retries() -> None:
    it = pool(maximum_event_age=10.0)
    trouble = unavailable("no zygote")
    it.handle(Invoked("a", True), 0)
    assert it.handle(Exited(1, trouble, unavailable=True), 1) == [Postpone("a", 1.0, trouble)]
    assert it.wake == 2
    assert it.handle(Ticked(), 2) == [Start(2)]
    assert it.handle(Exited(2, trouble, unavailable=True), 3) == [Postpone("a", 2.0, trouble)]
    assert it.handle(Ticked(), 5) == [Start(3)]
    # The next wait, of 4 s, would end after its maximum age.
    assert it.handle(Exited(3, trouble, unavailable=True), 7) == [Finish("a", trouble, too_old=True)]


def test_an_asynchronous_invocation_is_retried_with_growing_waits() -> None:
    it = pool(retries=2, retry_seconds=10.0)
    warm(it)
    assert it.handle(Invoked("a", True), 0) == [Deliver(1, "a")]
    assert it.handle(Answered(1, RAISED), 1) == [Postpone("a", 10.0, RAISED)]
    it.handle(Polled(1), 1)
    assert it.wake == 11
    assert it.handle(Ticked(), 11) == [Deliver(1, "a")]
    assert it.handle(Exited(1, CRASH), 12) == [Postpone("a", 20.0, CRASH)]
    assert it.handle(Ticked(), 32) == [Start(2)]
    it.handle(Polled(2), 33)
    assert it.handle(Answered(2, RAISED), 34) == [Finish("a", None)]


def test_a_synchronous_invocation_is_never_retried() -> None:
    it = pool(retries=2)
    warm(it)
    it.handle(Invoked("a", False), 0)
    assert it.handle(Answered(1, RAISED), 1) == [Finish("a", None)]


def test_a_retry_that_would_come_too_late_is_not_made() -> None:
    it = pool(retries=2, retry_seconds=10.0, maximum_event_age=5.0)
    warm(it)
    it.handle(Invoked("a", True), 0)
    assert it.handle(Answered(1, RAISED), 1) == [Finish("a", None, too_old=True)]


def test_retries_and_age_may_be_set_while_invocations_wait() -> None:
    it = pool(concurrency=1, timeout=900.0)
    warm(it)
    it.handle(Invoked("a", True), 0)
    it.handle(Invoked("b", True), 0)
    assert it.handle(EventsConfigured(retries=1, maximum_event_age=100.0), 1) == []
    assert it.wake == 60 + 40
    assert it.handle(Ticked(), 100) == [Expire("b")]
    assert it.handle(Answered(1, RAISED), 101) == [Finish("a", None, too_old=True)]
    it.handle(EventsConfigured(retries=1, maximum_event_age=300.0), 102)
    it.handle(Polled(1), 102)
    assert it.handle(Invoked("c", True), 103) == [Deliver(1, "c")]
    assert it.handle(Answered(1, RAISED), 104) == [Postpone("c", 60.0, RAISED)]


def test_an_asynchronous_invocation_may_come_late_and_ages_meanwhile() -> None:
    it = pool(maximum_event_age=10.0)
    warm(it)
    assert it.handle(Invoked("a", True, delay=2.0), 0) == []
    assert it.handle(Invoked("b", True, delay=11.0), 0) == []
    assert it.wake == 2
    assert it.handle(Ticked(), 2) == [Deliver(1, "a")]
    assert it.handle(Answered(1), 3) == [Finish("a", None)]
    it.handle(Polled(1), 3)
    assert it.wake == 11
    assert it.handle(Ticked(), 11) == [Expire("b")]


def test_a_queued_invocation_expires() -> None:
    it = pool(concurrency=1, timeout=900.0)
    warm(it)
    it.handle(Invoked("a", True), 0)
    it.handle(Invoked("b", True), 1)
    it.handle(Invoked("c", True), 2)
    assert it.wake == 301
    assert it.handle(Ticked(), 301) == [Expire("b")]
    # What expired between ticks is not begun either.
    assert it.handle(Answered(1), 302) == [Finish("a", None), Expire("c")]


def test_an_undelivered_invocation_goes_to_another_environment_first() -> None:
    it = pool()
    warm(it)
    it.handle(Invoked("a", True), 0)
    it.handle(Invoked("b", True), 0)
    assert it.handle(Undelivered(1), 0) == []
    assert it.handle(Polled(2), 1) == [Deliver(2, "a")]
    assert it.handle(Exited(1, CRASH), 1) == [Start(3)]
    assert it.handle(Polled(3), 1) == [Deliver(3, "b")]


def test_a_lower_concurrency_throttles_and_ends_idle_environments() -> None:
    it = pool()
    it.handle(Prewarmed(2), 0)
    it.handle(Polled(1), 0)
    it.handle(Polled(2), 0)
    assert it.handle(ConcurrencySet(1), 1) == [Kill(1)]
    # The dying one does not count against the other.
    assert it.handle(Ticked(), 1) == []
    assert it.handle(ConcurrencySet(0), 2) == [Kill(2)]
    assert it.handle(Invoked("a", False), 3) == [Throttle("a")]
    assert it.handle(Invoked("b", True), 3) == []
    it.handle(Exited(1, CRASH), 3)
    it.handle(Exited(2, CRASH), 3)
    assert it.handle(ConcurrencySet(2), 4) == [Start(3)]
    assert it.handle(Polled(3), 4) == [Deliver(3, "b")]


def test_events_of_unknown_environments_are_ignored() -> None:
    it = pool()
    for event in (Polled(7), Answered(7), Undelivered(7), Exited(7, CRASH)):
        assert it.handle(event, 0) == []


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happens_each_invocation_ends_once_and_concurrency_is_kept(seed: int) -> None:
    """Drives a pool with random events, and plays the world that carries its instructions out."""
    chance = random.Random(seed)
    it = pool(concurrency=chance.randint(1, 4), retries=chance.randint(0, 2), retry_seconds=1.0)
    concurrency = it.limits.concurrency
    starting: set[int] = set()
    working: dict[int, str] = {}
    resting: set[int] = set()
    idle: set[int] = set()
    dying: set[int] = set()
    open_: set[str] = set()
    now, arrived = 0.0, 0

    def carry_out(instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Start(number):
                    starting.add(number)
                case Kill(number):
                    assert number not in dying
                    for group in (starting, resting, idle):
                        group.discard(number)
                    working.pop(number, None)
                    dying.add(number)
                case Deliver(number, invocation):
                    assert invocation in open_
                    assert invocation not in working.values()
                    idle.remove(number)
                    working[number] = invocation
                case Throttle(invocation):
                    # Only when truly as many are in flight.
                    assert len(working) + len(it._accepted) == concurrency
                    open_.remove(invocation)
                case Finish(invocation, _) | Expire(invocation):
                    open_.remove(invocation)
                case Postpone(invocation):
                    assert invocation in open_
        assert len(starting) + len(working) + len(resting) + len(idle) + len(dying) <= concurrency

    for step in range(5000):
        now += chance.random() * 0.3
        if (wake := it.wake) is not None and wake <= now:
            carry_out(it.handle(Ticked(), now))
        if step > 400 and not open_:
            break
        if step < 400 and chance.random() < 0.4:
            arrived += 1
            open_.add(str(arrived))
            carry_out(it.handle(Invoked(str(arrived), chance.random() < 0.6), now))
            continue
        calm = step > 400
        for group in (dying, resting, starting, set(working)):
            if group and chance.random() < 0.6:
                number = chance.choice(sorted(group))
                crashes = group is dying or (not calm and chance.random() < 0.1)
                if crashes:
                    for other in (starting, resting, dying):
                        other.discard(number)
                    working.pop(number, None)
                    carry_out(it.handle(Exited(number, CRASH), now))
                elif number in working:
                    del working[number]
                    resting.add(number)
                    carry_out(it.handle(Answered(number, RAISED if chance.random() < 0.2 else None), now))
                else:
                    starting.discard(number)
                    resting.discard(number)
                    idle.add(number)
                    carry_out(it.handle(Polled(number), now))
                break
    assert not open_
    assert arrived > 50
