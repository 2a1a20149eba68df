"""What may be asked of one job: the same keywords wherever a job is made.

`get`, `submit_graph`, `compute` and `persist` take them. Another one is a line in `JobOptions` and one in `_FIELDS`,
the field of the message `JobOptions` that it becomes. All but `submit_graph` take what Dask hands to its schedulers
too: code that says such things to another scheduler runs here as it is. What is neither would be an option that
somebody believes to be in force, so it is refused.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypedDict, cast

from wukong.engine.policy.named import check_policy
from wukong.errors import InvalidGraph
from wukong.rpc.v1 import job_pb2


class JobOptions(TypedDict, total=False):
    """Keywords of a job. None is as good as absent.

    Attributes:
        deadline: Seconds after which the job fails; by default the cluster's limit.
        max_parallelism: The most executors at once; by default the cluster's limit.
        retries: How often a task that raises is run again, where the task itself says nothing; by default never.
        max_cost_usd: US dollars after which the job fails with `BudgetExceeded`, at AWS prices of executors; by default
            there is no such limit.
        policy: How work spreads: "heartbeat", "wukong2020" or "stateless", or one of the first two without one of its
            mechanisms, as docs/policies.md says; by default the cluster's own.
        kvs_nodes: Nodes of the key-value store that the job needs. On AWS it begins when there are so many; elsewhere
            it is refused where there are fewer. By default any number will do.
    """

    deadline: float | None
    max_parallelism: int | None
    retries: int | None
    max_cost_usd: float | None
    policy: str | None
    kvs_nodes: int | None


#: The field of the message that each option becomes.
_FIELDS = {
    "deadline": "deadline_seconds",
    "max_parallelism": "max_parallelism",
    "retries": "retries",
    "max_cost_usd": "max_cost_usd",
    "policy": "policy",
    "kvs_nodes": "kvs_nodes",
}


def _is(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: _is(Integral, value) and least <= value < 2**32


def _above_0(value: Any) -> bool:
    return _is(Real, value) and 0 < value < math.inf


#: What each option must be, but for a policy.
_MUST: dict[str, tuple[Callable[[Any], bool], str]] = {
    "deadline": (_above_0, "a number of seconds above 0"),
    "max_parallelism": (_whole(1), "a whole number of executors from 1 to 2**32 - 1"),
    "retries": (_whole(0), "a whole number from 0 to 2**32 - 1"),
    "max_cost_usd": (_above_0, "a number of US dollars above 0"),
    "kvs_nodes": (_whole(1), "a whole number of nodes from 1 to 2**32 - 1"),
}

#: What Dask takes for itself in `compute` and `persist`.
_OF_DASK = ("optimize_graph", "traverse")

#: What Dask hands to its own schedulers: to those of one machine, then to a cluster of dask.distributed.
_OF_SCHEDULERS = frozenset(
    {
        *("cache", "callbacks", "chunksize", "func_dumps", "func_loads", "initializer", "num_workers", "pool"),
        *("raise_exception", "rerun_exceptions_locally"),
        *("actors", "allow_other_workers", "direct", "fifo_timeout", "priority", "resources", "workers"),
    }
)


def check(keywords: Iterable[str]) -> None:
    """Refuse a keyword that is no option, and that Dask hands to no scheduler.

    Raises:
        TypeError: There is one.
    """
    for name in keywords:
        if name not in _FIELDS and name not in _OF_DASK and name not in _OF_SCHEDULERS:
            raise TypeError(
                f"{name!r} is no option of a job, and nothing that Dask hands to a scheduler; "
                f"{_instead(name, [*_FIELDS, *_OF_DASK])}"
            )


def chosen(keywords: Mapping[str, Any]) -> JobOptions:
    """The options among the keywords that Dask hands to a scheduler.

    Raises:
        TypeError: One is neither.
    """
    check(keywords)
    return cast(JobOptions, {name: value for name, value in keywords.items() if name in _FIELDS})


def message(options: JobOptions) -> job_pb2.JobOptions:
    """The options as the scheduler takes them.

    Raises:
        TypeError: There is no such option.
        InvalidGraph: A value is of another type than the option's, or out of range.
    """
    found = job_pb2.JobOptions()
    for name, value in options.items():
        if name not in _FIELDS:
            raise TypeError(f"{name!r} is no option of a job; {_instead(name, list(_FIELDS))}")
        if value is None:
            continue
        try:
            if name == "policy":
                check_policy(cast(str, value))
            elif not _MUST[name][0](value):
                raise ValueError(f"it must be {_MUST[name][1]}")
            setattr(found, _FIELDS[name], value)
        except ValueError as error:
            raise InvalidGraph(f"the job's option {name} is {value!r}; {error}") from None
    return found


def _instead(name: str, known: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(name, known, 1)
    meant = f"did you mean {nearest[0]!r}? There" if nearest else "there"
    return f"{meant} are {', '.join(_FIELDS)}"
