"""Everything that Wukong raises on purpose.

One tree under `WukongError`. Each error says what happened, where, which limit was met and what to do about it;
carries the facts as attributes; knows whether trying again can help (`retryable`); and survives pickling with all
of that, because errors travel from executors to the client. One warning is here too, `LegacyOptionWarning`.
"""

from __future__ import annotations

import concurrent.futures
from typing import Any, ClassVar

from wukong.prices import dollars


class WukongError(Exception):
    """The base of every error of Wukong.

    Attributes:
        retryable: Whether the same call can succeed later with nothing changed by the caller.
    """

    retryable: ClassVar[bool] = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)


def _rebuild(kind: type[WukongError], args: tuple[Any, ...], attributes: dict[str, Any]) -> WukongError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(attributes)
    return error


class TaskError(WukongError):
    """A task raised. It is the `__cause__` of the original exception, which is what the user catches.

    Attributes:
        key: The task's key.
        attempt: Which run of the task it was, from 1 on.
        remote_traceback: The traceback on the executor, from the task's own code on.
    """

    def __init__(self, key: object, attempt: int, remote_traceback: str) -> None:
        super().__init__(f"task {key!r} raised in attempt {attempt}; on the executor:\n\n{remote_traceback}")
        self.key = key
        self.attempt = attempt
        self.remote_traceback = remote_traceback


class ExecutorLost(WukongError):
    """An executor died and the work could not be saved by starting it again.

    Attributes:
        task: The task that it ran at last.
        probable_cause: What is known, such as the memory in use at its last beat.
    """

    def __init__(self, task: object, probable_cause: str) -> None:
        super().__init__(f"the executor that ran task {task!r} was lost: {probable_cause}. {_to_do(probable_cause)}")
        self.task = task
        self.probable_cause = probable_cause


def _to_do(cause: str) -> str:
    if "out of memory" in cause:
        return "Use smaller chunks, or a larger memory_mb."
    if "time limit" in cause:
        return "Cut the task into smaller ones, or raise the function's time limit."
    return "If the task ends its process itself (os._exit, a crash in native code), the function's log says where."


class InputLost(WukongError):
    """An input, uploaded or of an earlier job, is gone from every store, and cannot be computed again.

    Attributes:
        key: What it was: the hash of an upload, or a task and its job.
    """

    def __init__(self, key: object) -> None:
        super().__init__(f"the input {key!r} is no longer in any store; compute it again, and then submit again")
        self.key = key


class ResultMissing(WukongError):
    """A result of a job is not there: in no store any more, or not yet.

    Attributes:
        job: The job.
        task: The result's task.
        mark_hash: The SHA-256 of the mark by which it was not found, in hexadecimal; empty where it has none now.
    """

    def __init__(self, job: str, task: int, mark_hash: str) -> None:
        super().__init__(
            f"the result of task {task} of job {job!r} is not in the KVS: it expired, or was lost with its node"
            if mark_hash
            else f"the result of task {task} of job {job!r} is not computed yet"
        )
        self.job = job
        self.task = task
        self.mark_hash = mark_hash


class VersionMismatch(WukongError):
    """The client's Python or packages differ from the executor's in a way that breaks pickles."""


class MissingModule(WukongError):
    """A function needs a module that the executor does not have.

    Attributes:
        module: The module's name.
    """

    def __init__(self, module: str, detail: str) -> None:
        super().__init__(
            f"the executor cannot import {module!r}, which the graph needs ({detail}). Install it where executors run "
            "(docs/images.md shows how to add a package to their image), or define the function where Wukong pickles "
            "it by value (in __main__ or beside your script)."
        )
        self.module = module


class LimitExceeded(WukongError):
    """Something is larger or more numerous than a configured limit allows.

    Attributes:
        limit: The limit's name.
        value: What was asked for.
        maximum: What is allowed.
    """

    def __init__(self, limit: str, value: float, maximum: float, advice: str = "") -> None:
        super().__init__(f"{limit} is {value:,}, above the limit of {maximum:,}. {advice}".rstrip())
        self.limit = limit
        self.value = value
        self.maximum = maximum


class TooManyCalls(LimitExceeded):
    """A server is called too often from one address. Clients of Wukong wait, and call again.

    Attributes:
        limit: Which rate: calls, submissions, or failed_tokens.
        value: Calls a second, the most on average.
        maximum: The same.
        address: Where the calls come from.
        seconds: After how many a call may succeed.
    """

    retryable = True

    def __init__(self, limit: str, address: str, rate: float, seconds: float) -> None:
        Exception.__init__(
            self,
            f"calls come too often from {address}: {limit} is limited to {rate:g} a second. Try again in "
            f"{seconds:.1f} s; operators allow more with WUKONG_RATES.",
        )
        self.limit = limit
        self.value = rate
        self.maximum = rate
        self.address = address
        self.seconds = seconds


class StoreFull(LimitExceeded):
    """No KVS node that may hold a value has memory left for it. The facts are those of the first such node.

    Attributes:
        node: The node's name.
        address: Where it is.
        name: The value: its task, or "an uploaded value".
        nbytes: The bytes of the value.
        stored: The bytes that the node had in use.
        limit: What is limited.
        value: `stored` and `nbytes` together.
        maximum: The node's limit, in bytes.
    """

    def __init__(self, node: str, address: str, name: str, nbytes: int, stored: int, maximum: int) -> None:
        Exception.__init__(
            self,
            f"the KVS is full: node {node!r} at {address} has {stored:,} bytes in use of at most {maximum:,}, and did "
            f"not take {name}, which has {nbytes:,} bytes. Give the nodes more memory, add nodes, use smaller chunks, "
            "or let fewer results wait at once.",
        )
        self.limit = f"memory of KVS node {node}"
        self.value = stored + nbytes
        self.maximum = maximum
        self.node = node
        self.address = address
        self.name = name
        self.nbytes = nbytes
        self.stored = stored


class InvalidGraph(WukongError):
    """The graph cannot be run as it is: a cycle, a missing dependency, nothing asked for, something unpicklable."""


class JobCancelled(WukongError, concurrent.futures.CancelledError):
    """The job was cancelled."""


class DeadlineExceeded(WukongError):
    """The job did not end before its deadline.

    Attributes:
        cost_usd: What its executors had cost by then, in US dollars at AWS prices.
        seconds: Since it was submitted.
        tasks_run: How many of its tasks had run.
        tasks: How many it has.
    """

    cost_usd: float = 0.0
    seconds: float = 0.0
    tasks_run: int = 0
    tasks: int = 0


class BudgetExceeded(WukongError):
    """The job has cost more than it may, at AWS prices of executors.

    Attributes:
        limit: What it may cost, in US dollars.
        value: What it has cost.
        seconds: Since it was submitted.
        tasks_run: How many of its tasks had run.
        tasks: How many it has.
    """

    tasks_run: int = 0
    tasks: int = 0

    def __init__(self, limit: float, value: float, seconds: float, tasks_run: int, tasks: int) -> None:
        super().__init__(
            f"the job has cost {dollars(value)}, above its max_cost_usd of {dollars(limit)}, in {seconds:,.1f} s and "
            f"with {tasks_run:,} of {tasks:,} tasks run. Executors count as AWS bills them (client.report() tells for "
            "what); allow more, or give the job less to do or less memory."
        )
        self.limit = limit
        self.value = value
        self.seconds = seconds
        self.tasks_run = tasks_run
        self.tasks = tasks


class ClusterUnavailable(WukongError):
    """A part of the cluster cannot be reached, did not start, or lost what it held."""

    retryable = True


class ValueRefused(WukongError):
    """A page or value in a store does not carry the cluster's signature, so it was not unpickled."""


class AccessDenied(WukongError):
    """A server refused a call, because its token is missing or wrong."""


class TlsFailed(AccessDenied):
    """Two sides do not agree on TLS: one speaks without it, or refuses the other's certificate."""


class InvalidSetting(WukongError, ValueError):
    """A part cannot start: an environment variable is missing, or its value cannot be.

    Attributes:
        variable: Its name.
    """

    def __init__(self, variable: str, what: str) -> None:
        super().__init__(f"the environment variable {variable} cannot be used: {what}")
        self.variable = variable


class LegacyOptionWarning(UserWarning):
    """An option of the published LocalCluster does not do what its name says.

    Attributes:
        option: The keyword.
        value: What it was given.
    """

    def __init__(self, option: str, value: object, now: str) -> None:
        super().__init__(option, value, now)
        self.option = option
        self.value = value
        self._now = now

    def __str__(self) -> str:
        return f"LocalCluster({self.option}={self.value!r}): {self._now}"


class UnknownJob(WukongError):
    """No job has this id: it never was, or it was released and forgotten.

    Attributes:
        job: The id.
    """

    def __init__(self, job: str) -> None:
        super().__init__(f"no job {job!r} is known; it was never submitted, or was released and forgotten")
        self.job = job


class LargeUploadWarning(UserWarning):
    """A graph holds much data, which the client has to send."""
