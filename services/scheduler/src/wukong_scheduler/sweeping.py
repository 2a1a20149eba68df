"""What a sweep's findings call for. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wukong.errors import ExecutorLost
from wukong.mds.failure import Failure
from wukong.mds.store import Due, JobInfo, Sweep
from wukong.prices import dollars

#: A record whose holders died this often is not started again.
MAX_DEATHS = 3

#: Invocations of a record that nobody ever began; the pauses between them double, so this is hours.
MAX_INVOCATIONS = 12

#: Share of the memory limit from which on a silent end probably was for want of memory.
NEARLY_FULL = 0.7

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do about one running job: invoke executors for records again, or end the job."""

    invoke: Sequence[str] = ()
    failure: Failure | None = None


def judge(sweep: Sweep, function: str, cost: float = 0.0) -> Verdict:
    """Decide about a running job.

    Args:
        sweep: What was found.
        function: The name of the executor function, for errors.
        cost: US dollars that the job has cost, for the error of one whose deadline has passed.
    """
    if sweep.expired:
        return Verdict(
            failure=Failure(
                error="DeadlineExceeded",
                message=f"the job did not end before its deadline; its executors have cost {dollars(cost)} at AWS "
                "prices. Give it more time with `deadline`, or split the work over more executors",
                attributes={"cost_usd": cost},
            )
        )
    if sweep.stalled:
        return Verdict(
            failure=Failure(
                error="ClusterUnavailable",
                message="the job has no executor left and not all of its results: "
                "the metadata store lost a part of it, perhaps in a restart. Submit it again",
            )
        )
    for due in sweep.due:
        if due.begins >= MAX_DEATHS:
            return Verdict(failure=_lost(due))
        if due.begins == 0 and due.invokes > MAX_INVOCATIONS:
            return Verdict(
                failure=Failure(
                    error="ClusterUnavailable",
                    message=f"the function {function!r} was invoked {MAX_INVOCATIONS} times for one piece "
                    "of the job and no executor ever began it; look at its log and its concurrency limit"
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


def _lost(due: Due) -> Failure:
    cause = f"its executors ended {due.begins} times"
    cause += f", the last one with: {due.why}" if due.why else " without a word"
    if due.memory_limit:
        cause += f", with {due.memory / MIB:,.0f} of {due.memory_limit / MIB:,.0f} MiB in use at the last beat"
        if not due.why.startswith("out of memory") and due.memory > NEARLY_FULL * due.memory_limit:
            cause += " (probably out of memory)"
    return Failure(
        error="ExecutorLost",
        message=str(ExecutorLost(due.current, cause)) if due.current >= 0 else f"an executor was lost: {cause}.",
        task=due.current,
        attributes={"probable_cause": cause},
    )
