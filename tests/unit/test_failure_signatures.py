"""The pickled exception of a task reaches the client only with the cluster's signature."""

from __future__ import annotations

import pickle

import pytest

from wukong.kvs.ring import Node, Ring
from wukong.mds.failure import Failure
from wukong.mds.records import Record
from wukong.mds.store import JobSpec
from wukong.prices import Prices
from wukong.testing.mds import MemoryMds
from wukong.values.signing import Signer
from wukong_executor import failures
from wukong_scheduler.reading import Reading

SIGNER = Signer(b"k" * 16)


def failed(job: str, failure: Failure) -> Reading:
    mds = MemoryMds()
    mds.submit(job, JobSpec(1, 1, 1, [0], 1, Ring(1, (Node("n", "h:1"),)), 60), [b"page"], [Record("0", [0])], 10)
    mds.close(job, "failed", failure)
    return Reading(mds, SIGNER, Prices(0, 0))


def failure_of(job: str, signer: Signer) -> Failure:
    try:
        raise ValueError("too large")
    except ValueError as error:
        return failures.of_task(signer, job, 0, "x", error, 1)


def test_a_signed_exception_is_passed_on_without_its_signature() -> None:
    task = failed("job", failure_of("job", SIGNER)).job("job").error.task
    assert repr(pickle.loads(task.exception)) == "ValueError('too large')"
    assert (task.type, task.key, task.attempt) == ("builtins.ValueError", "x", 1)


@pytest.mark.parametrize(("job", "signer"), [("other", SIGNER), ("job", Signer(b"x" * 16))])
def test_an_exception_signed_for_another_job_or_by_somebody_else_is_not(job: str, signer: Signer) -> None:
    task = failed("job", failure_of(job, signer)).job("job").error.task
    assert task.exception == b""
    assert "too large" in task.remote_traceback
