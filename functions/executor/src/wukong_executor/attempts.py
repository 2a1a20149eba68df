"""Runs the program of a task, again after an error where the job says so, with a pause in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter as clock
from typing import Any

from wukong.graph.attempt import Failed
from wukong.graph.program import run
from wukong.mds.failure import Failure
from wukong.mds.phase import Phase
from wukong.values.signing import Signer
from wukong_executor import failures
from wukong_executor.interruption import Interrupted, Interruption
from wukong_executor.memory import Memory
from wukong_executor.programs import Programs
from wukong_executor.retrying import Retrying
from wukong_executor.timesheet import Timesheet


class TaskRaised(Exception):
    """A task raised, and is not run again.

    Attributes:
        failure: What ends the job.
    """

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure = failure


class Attempts:
    """The runs of one holder's tasks, one after the other.

    Attributes:
        paused: Seconds between the runs of the present task, in which it did not run.
    """

    def __init__(
        self,
        memory: Memory,
        programs: Programs,
        interruption: Interruption,
        retrying: Retrying,
        times: Timesheet,
        signer: Signer,
        job: str,
    ) -> None:
        self.paused = 0.0
        self._memory = memory.by_task
        self._programs = programs
        self._interruption = interruption
        self._retrying = retrying
        self._times = times
        self._signer = signer
        self._job = job

    def run(self, task: int, program: Any, inputs: Sequence[int]) -> Any:
        """The value of a task, all of whose inputs are in memory.

        Raises:
            TaskRaised: It raised.
            Interrupted: Nobody wants its value any more.
        """
        memory = self._memory
        interruption = self._interruption
        attempt = 1
        while True:
            try:
                interruption.armed = True
                try:
                    if interruption.wanted:
                        raise Interrupted
                    value = run(program, [memory[parent] for parent in inputs])
                finally:
                    interruption.armed = False
                if type(value) is not Failed:
                    return value
                pause = self._retrying.after(task, attempt, value, self._programs.retries(task))
                if pause is None:
                    return replace(value, attempt=attempt)
            except Interrupted:
                raise
            except BaseException as error:  # KeyboardInterrupt and the like too: only the task can have raised it
                pause = None
                if isinstance(error, Exception):
                    pause = self._retrying.after(task, attempt, error, self._programs.retries(task))
                if pause is None:
                    key = self._programs.keys.get(task, task)
                    raise TaskRaised(failures.of_task(self._signer, self._job, task, key, error, attempt)) from None
            self._pause(pause)
            attempt += 1

    def _pause(self, seconds: float) -> None:
        began = clock()
        self._times.enter(Phase.WAITING)
        self._interruption.sleep(seconds)
        self._times.enter(Phase.RUNNING)
        self.paused += clock() - began
