"""The metadata store of a simulation goes away and starts again, and those who call it meet the new one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wukong.errors import ClusterUnavailable, WukongError
from wukong.testing.simulation.loop import Actor, Call, Loop, Process

#: Mean seconds until somebody who waits for the store tries again.
RETRY = 0.02


class Outages:
    """When the store is away.

    Attributes:
        starts: How often it has started again.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._back_at = 0.0
        self.starts = 0

    @property
    def left(self) -> float:
        """Seconds for which it is still away."""
        return self._back_at - self._loop.now

    def start_again(self, away: float) -> None:
        """It ends, and starts again after so many seconds."""
        self.starts += 1
        self._back_at = self._loop.now + away

    def refused(self, process: Process, effect: Callable[[], Any]) -> Callable[[], Any]:
        """An effect for somebody who does not wait, and who mostly finds his connection broken after a start."""

        def reached() -> Any:
            if self.left > 0:
                raise ClusterUnavailable("the metadata store is away")
            met, process.met = process.met, self.starts
            if met != self.starts and self._loop.rng.random() < 0.7:
                raise ClusterUnavailable("the connection broke when the metadata store ended")
            return effect()

        return reached


@dataclass(slots=True)
class PatientCall(Call):
    """A message of somebody who waits for the store, and repeats what it has not answered before it ended.

    Attributes:
        outages: Of the store.
        process: The sender: what it knows of the store is that it met this one.
    """

    outages: Outages
    process: Process

    def _take_effect(self, actor: Actor, turn: int) -> None:
        outages = self.outages
        if (left := outages.left) > 0:
            actor.loop.after(left + RETRY * actor.loop.rng.random(), self._again, actor, turn)
            return
        starts = self.process.met = outages.starts
        answer: Any
        try:
            answer = self.effect()
        except WukongError as error:
            answer = error
        actor.loop.after(self.back, self._answer, actor, turn, answer, starts)

    def _again(self, actor: Actor, turn: int) -> None:
        process = actor.process
        if not process.alive:
            return
        if (asleep := process.wakes_at - actor.loop.now) > 0:
            actor.loop.after(asleep, self._again, actor, turn)
        else:
            self._take_effect(actor, turn)

    def _answer(self, actor: Actor, turn: int, answer: Any, starts: int) -> None:
        """The answer comes, unless it was still to be sent when the store ended."""
        if starts != self.outages.starts and actor.loop.rng.random() < 0.5:
            self._again(actor, turn)
        else:
            actor.resume(turn, answer)
