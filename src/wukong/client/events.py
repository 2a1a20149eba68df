"""What happens to a job, as `Job.events` tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wukong.graph.dag import Key
from wukong.rpc.v1 import event_pb2, job_pb2


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The job came to another state.

    Attributes:
        state: loading, running, done, failed, cancelled or gone.
        time: Unix seconds; 0 where the cluster tells only the present state.
    """

    state: str
    time: float


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the job is.

    Attributes:
        tasks: Tasks of the graph.
        tasks_run: Tasks that ran, as far as executors have reported.
        executors: Executors at work.
    """

    tasks: int
    tasks_run: int
    executors: int


@dataclass(frozen=True, slots=True)
class Printed:
    """A task printed something.

    Attributes:
        task: The task's key; as text, where the job was submitted elsewhere.
        stream: stdout or stderr.
        text: The text, with its line ends.
        time: Unix seconds.
    """

    task: Key
    stream: str
    text: str
    time: float


@dataclass(frozen=True, slots=True)
class Retried:
    """A task raised and is run again, as often as its `retries` allow.

    Attributes:
        task: The task's key, or its number where the job was submitted elsewhere.
        attempt: Which run of the task raised; the first is 1.
        message: The exception's class and message.
        time: Unix seconds.
    """

    task: Key
    attempt: int
    message: str
    time: float


Event: TypeAlias = StateChanged | Progressed | Printed | Retried


def state_name(state: job_pb2.JobState.ValueType) -> str:
    """A state in the words of users."""
    return job_pb2.JobState.Name(state).removeprefix("JOB_STATE_").lower()


def event(message: event_pb2.JobEvent, keys: Sequence[Key]) -> Event:
    """An event from its message.

    Args:
        message: What the scheduler says.
        keys: The key of each task; empty where they are not known.
    """
    time = message.time.ToMicroseconds() / 1e6
    if message.HasField("log"):
        log = message.log
        stream = event_pb2.LogStream.Name(log.stream).removeprefix("LOG_STREAM_").lower()
        return Printed(_key(log, keys), stream, log.text, time)
    if message.HasField("retried"):
        retried = message.retried
        return Retried(_key(retried, keys), retried.attempt, retried.message, time)
    if message.HasField("progress"):
        progress = message.progress
        return Progressed(progress.tasks_total, progress.tasks_run, progress.executors)
    return StateChanged(state_name(message.state.state), time)


def _key(about: event_pb2.LogLines | event_pb2.RetriedError, keys: Sequence[Key]) -> Key:
    return keys[about.task] if about.task < len(keys) else about.key
