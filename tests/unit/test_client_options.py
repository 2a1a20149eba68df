from typing import Any

import pytest

from wukong.client.options import JobOptions, chosen, message
from wukong.errors import InvalidGraph
from wukong.rpc.v1 import job_pb2


def test_every_option_becomes_its_field() -> None:
    found = message(JobOptions(deadline=2.5, max_parallelism=3, retries=4, max_cost_usd=0.5))
    assert found == job_pb2.JobOptions(deadline_seconds=2.5, max_parallelism=3, retries=4, max_cost_usd=0.5)


def test_none_is_as_good_as_absent() -> None:
    assert message(JobOptions(deadline=None, retries=None)) == job_pb2.JobOptions()
    assert message(JobOptions()) == job_pb2.JobOptions()


def test_of_dasks_keywords_only_the_options_count() -> None:
    assert chosen({"num_workers": 4, "retries": 2, "optimize_graph": True}) == {"retries": 2}


def test_an_unknown_option_is_refused_with_those_that_exist() -> None:
    unknown: Any = {"dead_line": 3}
    with pytest.raises(TypeError, match=r"'dead_line' is no option of a job; there are deadline, max_parallelism"):
        message(unknown)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("retries", -1), ("retries", 1.5), ("deadline", "soon")),
        *(("max_cost_usd", bad) for bad in (0, -1, float("nan"), float("inf"), "much")),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_name(name: str, value: object) -> None:
    options: Any = {name: value}
    with pytest.raises(InvalidGraph, match=name):
        message(options)
