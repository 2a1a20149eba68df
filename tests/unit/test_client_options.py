import inspect
import re
from typing import Any

import dask.local
import dask.multiprocessing
import dask.threaded
import distributed
import pytest

from wukong.client.options import JobOptions, check, chosen, message
from wukong.errors import InvalidGraph
from wukong.rpc.v1 import job_pb2


def test_every_option_becomes_its_field() -> None:
    found = message(JobOptions(deadline=2.5, max_parallelism=3, retries=4, max_cost_usd=0.5, kvs_nodes=6))
    assert found == job_pb2.JobOptions(
        deadline_seconds=2.5, max_parallelism=3, retries=4, max_cost_usd=0.5, kvs_nodes=6
    )


def test_none_is_as_good_as_absent() -> None:
    assert message(JobOptions(deadline=None, retries=None)) == job_pb2.JobOptions()
    assert message(JobOptions()) == job_pb2.JobOptions()


def test_of_dasks_keywords_only_the_options_count() -> None:
    assert chosen({"num_workers": 4, "retries": 2, "optimize_graph": True}) == {"retries": 2}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dead_line", r"did you mean 'deadline'\? There are deadline, max_parallelism"),
        ("max_parallel", "did you mean 'max_parallelism'"),
        ("retry", "did you mean 'retries'"),
        ("xyz", "; there are deadline, max_parallelism"),
    ],
)
def test_an_unknown_option_is_refused_with_the_nearest(name: str, said: str) -> None:
    unknown: Any = {name: 3}
    with pytest.raises(TypeError, match=f"{name!r} is no option of a job.*{said}"):
        message(unknown)
    with pytest.raises(TypeError, match=f"{name!r} is no option of a job, and nothing that Dask.*{said}"):
        chosen(unknown)


def test_a_keyword_of_dask_may_be_the_nearest() -> None:
    with pytest.raises(TypeError, match="did you mean 'optimize_graph'"):
        check({"optimise_graph": False})


@pytest.mark.parametrize(
    "scheduler",
    [dask.threaded.get, dask.multiprocessing.get, dask.local.get_async, distributed.Client.get],
    ids=lambda scheduler: f"{scheduler.__module__}.{scheduler.__qualname__}",
)
def test_what_dask_hands_to_its_schedulers_is_no_mistake(scheduler: Any) -> None:
    # What they hand to each other, and what would have the client give something else than values.
    inside = {"submit", "dsk", "keys", "result", "self", "kwargs", "get_id", "pack_exception", "dumps", "loads"}
    other = {"sync", "asynchronous"}
    check(set(inspect.signature(scheduler).parameters) - inside - other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("retries", bad) for bad in (-1, 1.5, "a", True, 2**32)),
        *(("max_parallelism", bad) for bad in (0, -1, "4", 2**40)),
        *(("deadline", bad) for bad in ("soon", True, 0, -1, float("nan"))),
        *(("max_cost_usd", bad) for bad in (0, -1, float("nan"), float("inf"), "much", True)),
        *(("policy", bad) for bad in ("mine", 5, "")),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_name(name: str, value: object) -> None:
    options: Any = {name: value}
    says = "there is no policy" if name == "policy" else "it must be a "
    with pytest.raises(InvalidGraph, match=re.escape(f"the job's option {name} is {value!r}; {says}")):
        message(options)
