"""Which environment runs which invocation: the decisions of one function, without clock and without I/O.

An *invocation* is accepted, or throttled, or (asynchronous ones) queued. Accepted ones, at most `concurrency`,
are in flight: they wait for an environment, or run in one. An *environment* goes round in a ring:

    STARTING -> IDLE -> BUSY -> RESTING -> IDLE ...      and from anywhere: ENDING (killed, exit not yet seen)

RESTING is the moment between an answer and the next poll. Such an environment is not free yet, but its
invocation is over. Counting invocations in flight, never environments, is what keeps a caller who waits for
each answer from being throttled in that moment. A waiting invocation prefers an environment that is about to be
free over a new one, unless that takes suspiciously long.

`handle` takes one event and the time, and returns what to do. `wake` tells when to send `Ticked` at the latest.
Time is any monotonic clock, in seconds.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from wukong_lambda_emulator.events import (
    Answered,
    ConcurrencySet,
    Event,
    EventsConfigured,
    Exited,
    Invoked,
    Polled,
    Prewarmed,
    Ticked,
    Undelivered,
)
from wukong_lambda_emulator.failure import Failure, timed_out
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

# A runtime polls again within a millisecond of its answer. One that has not after this time is not waited for.
REST_SECONDS = 0.1

# Lambda tries the initialisation of an environment once more before it gives up on the invocation.
START_ATTEMPTS = 2

# Wait before an asynchronous invocation is tried again for which no environment could be had. It doubles each time.
UNAVAILABLE_SECONDS = 1.0
MAXIMUM_UNAVAILABLE_SECONDS = 60.0


class State(enum.Enum):
    """Where in its life an environment is."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    RESTING = "resting"
    ENDING = "ending"


@dataclass(slots=True)
class _Invocation:
    id: str
    asynchronous: bool
    arrived: float
    #: How often it was tried and failed.
    failures: int = 0
    #: How many environments ended at their start while it was the first to wait for one.
    failed_starts: int = 0
    #: How often no environment could be had for it, for reasons of the system's own.
    put_off: int = 0


@dataclass(slots=True)
class _Environment:
    state: State
    #: When the present state began.
    since: float
    #: When it is too late to leave the present state; never for ENDING.
    deadline: float
    invocation: _Invocation | None = None


@dataclass(slots=True)
class Pool:
    """The environments and invocations of one function."""

    limits: Limits
    #: Every environment whose exit was not reported yet.
    environments: dict[int, _Environment] = field(default_factory=dict)
    #: The IDLE ones, the most recently used last.
    _idle: dict[int, None] = field(default_factory=dict)
    #: In flight, and waiting for an environment; oldest first.
    _accepted: deque[_Invocation] = field(default_factory=deque)
    #: Asynchronous ones that wait until fewer are in flight.
    _queue: deque[_Invocation] = field(default_factory=deque)
    #: Asynchronous ones that wait for their retry, or come late: (due, tie break, invocation).
    _postponed: list[tuple[float, int, _Invocation]] = field(default_factory=list)
    #: How many environments are BUSY.
    _busy: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _ties: Iterator[int] = field(default_factory=itertools.count)
    _now: float = 0.0

    def state(self, environment: int) -> State | None:
        """The state of an environment; None when it is gone."""
        known = self.environments.get(environment)
        return known.state if known else None

    def handle(self, event: Event, now: float) -> list[Instruction]:
        """Take in one event and say what to do about it, in this order.

        Args:
            event: What happened.
            now: Present time; never less than in an earlier call.
        """
        self._now = now
        out: list[Instruction] = []
        match event:
            case Invoked():
                self._invoked(event, out)
            case Prewarmed(count):
                wanted = min(count, self.limits.concurrency)
                while len(self.environments) < wanted:
                    self._start(out)
            case Polled(number):
                self._polled(number)
            case Answered(number, failure):
                self._answered(number, failure, out)
            case Undelivered(number):
                self._undelivered(number)
            case Exited():
                self._exited(event, out)
            case ConcurrencySet(concurrency):
                self.limits = replace(self.limits, concurrency=concurrency)
            case EventsConfigured(retries, maximum_event_age):
                self.limits = replace(self.limits, retries=retries, maximum_event_age=maximum_event_age)
            case Ticked():
                self._ticked(out)
        self._balance(out)
        return out

    @property
    def wake(self) -> float | None:
        """When `Ticked` is due at the latest; None when there is nothing to wait for."""
        times = [known.deadline for known in self.environments.values() if known.state is not State.ENDING]
        if self._accepted:
            rested = (e.since + REST_SECONDS for e in self.environments.values() if e.state is State.RESTING)
            times += [time for time in rested if time > self._now]
        if self._queue:
            times.append(self._queue[0].arrived + self.limits.maximum_event_age)
        if self._postponed:
            times.append(self._postponed[0][0])
        return min(times, default=None)

    # What each event changes.

    def _invoked(self, event: Invoked, out: list[Instruction]) -> None:
        invocation = _Invocation(event.invocation, event.asynchronous, self._now)
        if event.asynchronous and event.delay:
            heapq.heappush(self._postponed, (self._now + event.delay, next(self._ties), invocation))
        elif event.asynchronous:
            self._queue.append(invocation)
        elif self._in_flight < self.limits.concurrency:
            self._accepted.append(invocation)
        else:
            out.append(Throttle(invocation.id))

    def _polled(self, number: int) -> None:
        known = self.environments.get(number)
        if known and known.state in (State.STARTING, State.RESTING):
            self._enter(known, State.IDLE, self._now + self.limits.idle_seconds)
            self._idle[number] = None

    def _answered(self, number: int, failure: Failure | None, out: list[Instruction]) -> None:
        known = self.environments.get(number)
        if known is None or known.invocation is None:
            return
        invocation = self._release(known)
        # The runtime must poll again before the invocation's own time is up, as on Lambda.
        self._enter(known, State.RESTING, known.deadline)
        if failure is None:
            out.append(Finish(invocation.id, None))
        else:
            self._fail(invocation, failure, out, answered=True)

    def _undelivered(self, number: int) -> None:
        known = self.environments.get(number)
        if known and known.invocation:
            self._accepted.appendleft(self._release(known))
            self._enter(known, State.RESTING, self._now + REST_SECONDS)

    def _exited(self, event: Exited, out: list[Instruction]) -> None:
        known = self.environments.pop(event.environment, None)
        if known is None:
            return
        self._idle.pop(event.environment, None)
        if known.invocation:
            invocation = self._release(known)
            if event.unavailable:
                self._put_off(invocation, event.failure, out)
            else:
                self._fail(invocation, event.failure, out)
        elif known.state is State.STARTING and self._accepted:
            if event.unavailable:
                self._put_off(self._accepted.popleft(), event.failure, out)
            else:
                self._start_failed(event.failure, out)

    def _ticked(self, out: list[Instruction]) -> None:
        late = timed_out(self.limits.timeout)
        for number, known in self.environments.items():
            if known.state is State.ENDING or known.deadline > self._now:
                continue
            starting = known.state is State.STARTING
            self._idle.pop(number, None)
            out.append(Kill(number))
            if known.invocation:
                self._fail(self._release(known), late, out)
            self._enter(known, State.ENDING, known.deadline)
            if starting and self._accepted:
                self._start_failed(timed_out(self.limits.start_timeout), out)
        while self._postponed and self._postponed[0][0] <= self._now:
            self._queue.append(heapq.heappop(self._postponed)[2])
        while self._queue and self._expired(self._queue[0]):
            out.append(Expire(self._queue.popleft().id))

    # What follows after any event.

    def _balance(self, out: list[Instruction]) -> None:
        while self._queue and self._in_flight < self.limits.concurrency:
            invocation = self._queue.popleft()
            if self._expired(invocation):
                out.append(Expire(invocation.id))
            else:
                self._accepted.append(invocation)
        while self._accepted and self._idle:
            number, _ = self._idle.popitem()
            known = self.environments[number]
            known.invocation = self._accepted.popleft()
            self._busy += 1
            self._enter(known, State.BUSY, self._now + self.limits.timeout)
            out.append(Deliver(number, known.invocation.id))
        missing = len(self._accepted) - sum(map(self._is_coming, self.environments.values()))
        for _ in range(min(missing, self.limits.concurrency - len(self.environments))):
            self._start(out)
        alive = sum(known.state is not State.ENDING for known in self.environments.values())
        for number in list(itertools.islice(self._idle, max(alive - self.limits.concurrency, 0))):
            del self._idle[number]
            self._enter(self.environments[number], State.ENDING, self._now)
            out.append(Kill(number))

    def _is_coming(self, known: _Environment) -> bool:
        resting = known.state is State.RESTING and known.since + REST_SECONDS > self._now
        return resting or known.state is State.STARTING

    @property
    def _in_flight(self) -> int:
        return self._busy + len(self._accepted)

    # Steps.

    def _start(self, out: list[Instruction]) -> None:
        number = next(self._numbers)
        deadline = self._now + self.limits.start_timeout
        self.environments[number] = _Environment(State.STARTING, self._now, deadline)
        out.append(Start(number))

    def _enter(self, known: _Environment, state: State, deadline: float) -> None:
        known.state, known.since, known.deadline = state, self._now, deadline

    def _release(self, known: _Environment) -> _Invocation:
        invocation = known.invocation
        assert invocation is not None
        known.invocation = None
        self._busy -= 1
        return invocation

    def _start_failed(self, failure: Failure, out: list[Instruction]) -> None:
        """Count an environment that ended before its first poll against the invocation that waits longest."""
        first = self._accepted[0]
        first.failed_starts += 1
        if first.failed_starts >= START_ATTEMPTS:
            self._fail(self._accepted.popleft(), failure, out)

    def _put_off(self, invocation: _Invocation, failure: Failure, out: list[Instruction]) -> None:
        """Fail an invocation over trouble that is not the function's; that uses up no retry, as on AWS."""
        seconds = min(UNAVAILABLE_SECONDS * 2**invocation.put_off, MAXIMUM_UNAVAILABLE_SECONDS)
        invocation.put_off += 1
        if not self._postpone(invocation, seconds, failure, out):
            out.append(Finish(invocation.id, failure, too_old=invocation.asynchronous))

    def _fail(
        self, invocation: _Invocation, failure: Failure, out: list[Instruction], *, answered: bool = False
    ) -> None:
        """Plan the next attempt of a failed invocation, or end it if it has none."""
        again = invocation.asynchronous and invocation.failures < self.limits.retries
        if again:
            invocation.failures += 1
            invocation.failed_starts = 0
            seconds = self.limits.retry_seconds * 2 ** (invocation.failures - 1)
            if self._postpone(invocation, seconds, failure, out):
                return
        out.append(Finish(invocation.id, None if answered else failure, too_old=again))

    def _postpone(self, invocation: _Invocation, seconds: float, failure: Failure, out: list[Instruction]) -> bool:
        """Put an asynchronous invocation aside for `seconds`, unless it would be too old then."""
        due = self._now + seconds
        if not invocation.asynchronous or due - invocation.arrived > self.limits.maximum_event_age:
            return False
        heapq.heappush(self._postponed, (due, next(self._ties), invocation))
        out.append(Postpone(invocation.id, seconds, failure))
        return True

    def _expired(self, invocation: _Invocation) -> bool:
        return self._now - invocation.arrived >= self.limits.maximum_event_age
