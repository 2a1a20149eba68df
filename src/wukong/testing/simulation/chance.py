"""Draws what goes wrong, and when, within a plan's budget."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wukong.errors import ClusterUnavailable
from wukong.testing.simulation.functions import Invocation
from wukong.testing.simulation.loop import Call, Loop, Process
from wukong.testing.simulation.outages import Outages, PatientCall
from wukong.testing.simulation.plan import Plan

#: How much more often faults strike in what happens seldom and decides much.
RARE = 5


class Chance:
    """The faults and latencies of one run."""

    def __init__(self, loop: Loop, plan: Plan, note: Callable[[str, str], None]) -> None:
        self._loop = loop
        self._outages = Outages(loop)
        self._forgets = "forget" in plan.faults
        self._plan = plan
        self._note = note
        self._left = dict.fromkeys(plan.faults, plan.budget)
        #: What happened, by kind.
        self.happened: dict[str, int] = {}
        #: How often a record's invocations were lost.
        self.lost: dict[str, int] = {}

    def strikes(self, fault: str, weight: int = 1) -> bool:
        """Whether a fault happens now; `weight` times as often as planned."""
        rate = self._plan.faults.get(fault)
        if rate is None or not self._left[fault] or self._loop.rng.random() >= rate * weight:
            return False
        self._left[fault] -= 1
        self.happened[fault] = self.happened.get(fault, 0) + 1
        return True

    def latency(self) -> float:
        """Seconds that a message takes, one way."""
        random = self._loop.rng.random
        mean = self._plan.latency
        return mean * 2 * random() if random() < 0.97 else min(mean * 40, self._plan.lease / 16) * random()

    def call(self, process: Process, effect: Callable[[], Any], name: str, mds: bool) -> Call:
        """A message of an executor, with all that can happen to it and to its sender."""
        there, back = self.latency(), self.latency()
        if self._plan.faults:
            if name.startswith("put ") and self._slows(process):
                there += self._plan.lease / 2 * self._loop.rng.random()
            weight = RARE if name == "offload" else 1
            self._disturb(process, there + back, name, weight)
            if mds and self.strikes("repeat", weight):
                self._note(process.name, f"! {name} takes effect twice")
                return self.store_call(process, there, _twice(effect), back)
            if mds and self.strikes("break", weight):
                process.disturbed = process.disturbed or "lost its connection"
                return self._break(process.name, effect, name)
            if mds:
                return self.store_call(process, there, effect, back)
        return Call(there, effect, back)

    def store_call(self, process: Process, there: float, effect: Callable[[], Any], back: float) -> Call:
        """A message to the metadata store of somebody who waits for it."""
        if self._forgets:
            return PatientCall(there, effect, back, self._outages, process)
        return Call(there, effect, back)

    def start_store_again(self) -> None:
        """The metadata store ends, and starts again."""
        rng = self._loop.rng
        self._outages.start_again(rng.choice([0.0, 0.1, 2 * self._plan.lease]) * rng.random())

    @property
    def store_starts(self) -> int:
        """How often the metadata store started again."""
        return self._outages.starts

    def _slows(self, process: Process) -> bool:
        if not process.writes_slowly and self.strikes("long-write"):
            self._note(process.name, "! writes slowly from now on")
            process.writes_slowly = True
        return process.writes_slowly

    def control_call(self, process: Process, effect: Callable[[], Any], name: str) -> Call:
        """A message of the scheduler to the metadata store, whose connection can break."""
        if self._forgets:
            effect = self._outages.refused(process, effect)
        if self.strikes("break"):
            return self._break(process.name, effect, name)
        return Call(self.latency(), effect, self.latency())

    def _break(self, who: str, effect: Callable[[], Any], name: str) -> Call:
        arrived = self._loop.rng.random() < 0.5
        self._note(who, f"! the connection breaks {'after' if arrived else 'before'} {name}")
        return Call(self.latency(), _broken(effect if arrived else None), self.latency())

    def deliveries(self, invocation: Invocation) -> list[float]:
        """After how many seconds an invocation is delivered."""
        rng = self._loop.rng
        name = f"{invocation.job}/{invocation.record}"
        if self.strikes("drop"):
            self.lost[name] = self.lost.get(name, 0) + 1
            self._note("lambda", f"! the invocation of {name} is dropped")
            return []
        delays = [self._plan.start * 2 * rng.random()]
        if self.strikes("late"):
            delays[0] += rng.choice([0.5, 2, 10]) * self._plan.lease * rng.random()
            self._note("lambda", f"! the invocation of {name} is {delays[0]:.3f} s late")
        if self.strikes("duplicate"):
            delays.append(delays[0] + rng.choice([0.0, 0.1, self._plan.lease, 100.0]) * rng.random())
            self._note("lambda", f"! the invocation of {name} is delivered again after {delays[1]:.3f} s")
        return delays

    def task_seconds(self, process: Process, seconds: float, name: str) -> float:
        """How long a task runs this time; its executor may die in it."""
        seconds *= 0.5 + self._loop.rng.random()
        if self._plan.faults:
            self._disturb(process, seconds, name)
            if self.strikes("hold-lock"):
                self._note(process.name, "! does not give the interpreter back for two leases")
                process.hold(2 * self._plan.lease)
        return seconds

    def _disturb(self, process: Process, seconds: float, name: str, weight: int = 1) -> None:
        rng = self._loop.rng
        if self.strikes("crash", weight):
            self._loop.after(seconds * rng.random(), self._kill, process, name)
        if self.strikes("pause", weight):
            self._loop.after(seconds * rng.random(), self._pause, process, self._plan.lease * 3 * rng.random(), name)

    def _kill(self, process: Process, name: str) -> None:
        if process.alive:
            self._note(process.name, f"! dies in {name}")
            process.kill()

    def _pause(self, process: Process, seconds: float, name: str) -> None:
        if process.alive:
            self._note(process.name, f"! pauses {seconds:.3f} s in {name}")
            process.pause(seconds)


def _twice(effect: Callable[[], Any]) -> Callable[[], Any]:
    def repeated() -> Any:
        effect()
        return effect()

    return repeated


def _broken(effect: Callable[[], Any] | None) -> Callable[[], Any]:
    def broken() -> Any:
        if effect is not None:
            effect()
        raise ClusterUnavailable("the connection broke")

    return broken
