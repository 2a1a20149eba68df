"""What a sweep's findings call for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wukong.errors import ExecutorLost
from wukong.mds.failure import Failure
from wukong.mds.spent import Spent
from wukong.mds.store import Due, JobInfo, Sweep
from wukong.prices import dollars
from wukong_scheduler.invocation_end import TIME_LIMIT

#: Invocations of a record since its last holder, if any; the pauses between them double, so this is hours.
MAX_INVOCATIONS = 12

#: Holders of one record, as a multiple of the deaths that are allowed for one task: they died of different tasks then.
RECORD_DEATHS = 4

#: How often a task may meet the function's time limit: it had all of the time twice, and each further attempt would
#: take as long again.
TIMEOUTS = 2

#: How often a job is started, the first time included.
GENERATIONS = 3

#: Share of the memory limit from which on a silent end probably was for want of memory.
NEARLY_FULL = 0.7

MIB = 1024 * 1024

NOTHING_SPENT = Spent(0.0, 0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about one running job: invoke executors for records again, start all of it again, or end it."""

    invoke: Sequence[str] = ()
    restart: bool = False
    failure: Failure | None = None


def judge(sweep: Sweep, function: str, max_deaths: int, spent: Spent = NOTHING_SPENT) -> Verdict:
    """Decide about a running job.

    Args:
        sweep: What was found.
        function: The name of the executor function, for errors.
        max_deaths: How often one task may end its executor, or one record before it runs a task.
        spent: What the job has spent, for the error of one whose deadline has passed.
    """
    if sweep.expired:
        return Verdict(
            failure=Failure(
                error="DeadlineExceeded",
                message=f"the job did not end before its deadline; it has spent {dollars(spent.cost_usd)} at AWS "
                f"prices and {spent.seconds:,.1f} s, and {spent.tasks_run:,} of {spent.tasks:,} tasks have run. Give "
                "it more time with `deadline`, or split the work over more executors",
                attributes=spent.attributes,
            )
        )
    if sweep.stalled:
        if sweep.generation + 1 < GENERATIONS:
            return Verdict(restart=True)
        return Verdict(failure=stalled(sweep.generation, "each time"))
    for due in sweep.due:
        allowed = min(max_deaths, TIMEOUTS) if due.current >= 0 and due.why.startswith(TIME_LIMIT) else max_deaths
        if due.deaths >= allowed or due.begins >= RECORD_DEATHS * max_deaths:
            return Verdict(failure=_lost(due, allowed))
        if due.invokes > MAX_INVOCATIONS:
            return Verdict(
                failure=Failure(
                    error="ClusterUnavailable",
                    message=f"the function {function!r} was invoked {MAX_INVOCATIONS} times for one piece "
                    "of the job and no executor began it; look at its log and its concurrency limit"
                    + (f". The platform says of the last one: {due.why}" if due.why else ""),
                )
            )
    return Verdict(invoke=[due.record for due in sweep.due])


def forgotten(info: JobInfo, now: float, asked: float, keep: float) -> bool:
    """Whether a job that is not running was left behind: its client neither released nor completed it.

    Args:
        info: The job.
        now: Unix seconds.
        asked: When somebody last said that the job is needed, unix seconds.
        keep: Seconds that a job is kept after that, and after its end.
    """
    return info.state != "running" and now > max(info.ended or info.created, asked) + keep


def expiring(info: JobInfo, now: float, keep: float) -> bool:
    """Whether the values of a job that is done would vanish while it may still be asked to be kept.

    Args:
        info: The job, which is not forgotten.
        now: Unix seconds.
        keep: Seconds that a job is kept after somebody said that it is needed.
    """
    return info.state == "done" and info.expires < now + keep


def stalled(generation: int, why: str) -> Failure:
    """The end of a job that has no executor left, no matter how often it was started."""
    return Failure(
        error="ClusterUnavailable",
        message=f"the job was started {generation + 1} times, and has no executor left and not all of its results: the "
        f"metadata store lost a part of it, {why}. Look at that store's log, memory and restarts, then submit it again",
        attributes={"generations": generation + 1},
    )


def _lost(due: Due, allowed: int) -> Failure:
    named = due.current >= 0 and due.deaths >= allowed
    if named:
        cause = f"the task ended {due.deaths} executors"
    elif due.deaths >= allowed:
        cause = f"the executors of one piece of work ended {due.deaths} times before they ran a task"
    else:
        cause = f"the executors of one piece of work ended {due.begins} times, at different tasks"
    cause += f", the last one with: {due.why}" if due.why else ", without a word"
    if due.memory_limit:
        cause += f", with {due.memory / MIB:,.0f} of {due.memory_limit / MIB:,.0f} MiB in use at the last beat"
        known = due.why.startswith(("out of memory", TIME_LIMIT))
        if not known and due.memory > NEARLY_FULL * due.memory_limit:
            cause += " (probably out of memory)"
    return Failure(
        error="ExecutorLost",
        message=str(ExecutorLost(due.key or due.current, cause)) if named else f"an executor was lost: {cause}.",
        task=due.current if named else -1,
        attributes={"probable_cause": cause},
    )
