"""Virtual time: events in order, processes that can die and pause, and actors that wait for answers.

Theory of operation
===================

Nothing here reads a clock or starts a thread. A loop holds events, each at a moment; it takes the earliest one, sets
the time to its moment and runs it. Everything random is drawn from the loop's one generator, so a seed decides the
whole run, and the same seed gives the same run.

An *actor* is a generator: one thread of control of a process. It yields what it waits for:

* `Sleep`: some time has passed;
* `Call`: a message to a store and its answer. The effect takes place once, in one step, when the message arrives; the
  answer comes later. So there are two moments at which a process can die or others can come in between;
* `Signal`: somebody notifies it.

A process that is dead takes no step any more, but messages that it has sent arrive all the same. One that is paused
takes its steps when it wakes, late.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

from wukong.errors import WukongError

#: One thread of control.
Control: TypeAlias = Generator[Any, Any, Any]


class Loop:
    """Events in the order of their moments. Call it for the time, in seconds since the epoch."""

    def __init__(self, seed: str, start: float = 1_700_000_000.0) -> None:
        self.rng = random.Random(seed)
        self.start = start
        self.now = start
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        #: Events so far.
        self.count = 0

    def __call__(self) -> float:
        """The time."""
        return self.now

    def after(self, seconds: float, action: Callable[..., None], *args: Any) -> None:
        """Do something later."""
        self.count += 1
        heapq.heappush(self._events, (self.now + seconds, self.count, action, args))

    def run(self, until: float, most: int) -> bool:
        """Take events until none is left; false if there still are some at the moment `until`, or after so many."""
        events = self._events
        while events:
            if events[0][0] > until or self.count > most:
                return False
            self.now, _, action, args = heapq.heappop(events)
            action(*args)
        return True


@dataclass(slots=True)
class Sleep:
    """Wait for some seconds."""

    seconds: float

    def begin(self, actor: Actor) -> None:
        """The actor waits from now on."""
        actor.loop.after(self.seconds, actor.resume, actor.turn, None)


@dataclass(slots=True)
class Call:
    """A message to a store, its effect there, and the answer.

    Attributes:
        there: Seconds until the effect.
        effect: Returns the answer, or raises a `WukongError` that the caller gets.
        back: Seconds from the effect to the answer.
    """

    there: float
    effect: Callable[[], Any]
    back: float

    def begin(self, actor: Actor) -> None:
        """The message is on its way."""
        actor.loop.after(self.there, self._take_effect, actor, actor.turn)

    def _take_effect(self, actor: Actor, turn: int) -> None:
        answer: Any
        try:
            answer = self.effect()
        except WukongError as error:
            answer = error
        actor.loop.after(self.back, actor.resume, turn, answer)


class Signal:
    """What actors wait for until somebody notifies them."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Actor, int]] = []

    def begin(self, actor: Actor) -> None:
        """The actor waits from now on."""
        self._waiting.append((actor, actor.turn))

    def notify(self) -> None:
        """Wake all that wait."""
        waiting, self._waiting = self._waiting, []
        for actor, turn in waiting:
            actor.loop.after(0.0, actor.resume, turn, None)

    def within(self, seconds: float | None) -> Signal | Within:
        """Wait for it, but not longer than some seconds."""
        return self if seconds is None else Within(self, seconds)


@dataclass(slots=True)
class Within:
    """Wait for a signal for some seconds at most."""

    signal: Signal
    seconds: float

    def begin(self, actor: Actor) -> None:
        """The actor waits from now on."""
        self.signal.begin(actor)
        actor.loop.after(self.seconds, actor.resume, actor.turn, None)


class Process:
    """Something that can be killed and paused, with its actors."""

    def __init__(self, loop: Loop, name: str) -> None:
        self.loop = loop
        self.name = name
        self.alive = True
        #: Its threads of control; the first one is the main one.
        self.actors: list[Actor] = []
        self.wakes_at = 0.0
        #: Why the process is not expected to keep its lease, once it was disturbed.
        self.disturbed = ""
        self.held_until = 0.0
        #: Which start of the metadata store it has met.
        self.met = 0
        #: A write takes long.
        self.writes_slowly = False
        #: Told when it dies.
        self.on_death: Callable[[], None] = lambda: None

    def spawn(self, control: Control, on_end: Callable[[Actor], None] | None = None, apart: bool = False) -> Actor:
        """Start an actor; its first step is an event of its own. What is held does not hold one that is `apart`.

        What goes wrong in an actor and is no `WukongError` ends the run.
        """
        actor = Actor(self, control, on_end, apart)
        self.actors.append(actor)
        self.loop.after(0.0, actor.resume, 0, None)
        return actor

    def kill(self) -> None:
        """No step is taken any more."""
        if self.alive:
            self.alive = False
            self.disturbed = "killed"
            self.on_death()

    def hold(self, seconds: float) -> None:
        """No step is taken for a while, but those of actors that are apart."""
        self.held_until = max(self.held_until, self.loop.now + seconds)

    def pause(self, seconds: float) -> None:
        """No step is taken for a while."""
        self.wakes_at = max(self.wakes_at, self.loop.now + seconds)
        self.disturbed = self.disturbed or "paused"


class Actor:
    """One thread of control of a process.

    Attributes:
        turn: Grows with every step, so that an answer that nobody waits for any more wakes nobody.
        ended: Notified when it has ended.
    """

    __slots__ = ("_apart", "_control", "_on_end", "done", "ended", "error", "loop", "process", "turn", "value")

    def __init__(self, process: Process, control: Control, on_end: Callable[[Actor], None] | None, apart: bool) -> None:
        self._apart = apart
        self.process = process
        self.loop = process.loop
        self._control = control
        self._on_end = on_end
        self.turn = 0
        self.done = False
        self.ended = Signal()
        self.value: Any = None
        self.error: Exception | None = None

    def resume(self, turn: int, answer: Any) -> None:
        """Go on with an answer. An answer that is a `WukongError` is raised where the actor waits."""
        process = self.process
        if turn != self.turn or self.done or not process.alive:
            return
        wakes_at = process.wakes_at if self._apart else max(process.wakes_at, process.held_until)
        if wakes_at > self.loop.now:
            self.loop.after(wakes_at - self.loop.now, self.resume, turn, answer)
            return
        self.turn += 1
        try:
            if isinstance(answer, WukongError):
                request = self._control.throw(answer)
            else:
                request = self._control.send(answer)
        except StopIteration as stop:
            self._end(stop.value, None)
        except Exception as error:
            self._end(None, error)
        else:
            request.begin(self)

    def wake(self, answer: Any) -> None:
        """Go on at once, whatever it waits for."""
        self.loop.after(0.0, self.resume, self.turn, answer)

    def _end(self, value: Any, error: Exception | None) -> None:
        self.done = True
        self.value, self.error = value, error
        self.ended.notify()
        if self._on_end is not None:
            self._on_end(self)
        if error is not None and not isinstance(error, WukongError):
            raise error
