"""The pure parts of the command: exit codes, graph files, jobs as they are shown, version checks."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format

from wukong import errors
from wukong.cli import cluster, doctor
from wukong.cli import job as shown
from wukong.cli.check import Check, Outcome, failed, nodes, verdict, versions
from wukong.cli.exits import Exit, UsageError, exit_of
from wukong.cli.graph_file import parse
from wukong.cli.output import one_line, table
from wukong.rpc.v1 import cluster_pb2, job_pb2

PAGE = Path(__file__).parents[2] / "docs/cli.md"
CALL = {"id": "a", "call": {"function": "operator:add", "args": [1, 2]}}


def test_the_page_has_the_table_of_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == [(str(code.value), code.meaning) for code in Exit]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), 2),
        (errors.InvalidGraph("a cycle"), 2),
        (errors.LimitExceeded("tasks", 3, 2), 2),
        (errors.ClusterUnavailable("away"), 3),
        (errors.AccessDenied("no"), 4),
        (errors.UnknownJob("j"), 5),
        (errors.VersionMismatch("old"), 6),
        (errors.MissingModule("m", "d"), 6),
        (errors.JobCancelled("stop"), 1),
        (errors.WukongError("else"), 1),
    ],
)
def test_each_error_has_its_code(error: Exception, code: int) -> None:
    assert exit_of(error) == code


def test_a_graph_file_is_a_request_in_json() -> None:
    request = parse(json.dumps({"job_id": "j", "tasks": [CALL], "targets": ["a"], "options": {"deadline_seconds": 5}}))
    assert (request.job_id, list(request.targets), request.options.deadline_seconds) == ("j", ["a"], 5.0)
    assert json_format.MessageToDict(request.tasks[0].call) == {"function": "operator:add", "args": [1.0, 2.0]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON: Expecting value"),
        ("{", "is not JSON"),
        ("[1]", "must be a JSON object"),
        ('{"tasks": [], "targets": ["a"]}', "no 'tasks'"),
        ('{"tasks": [{"id": "a"}]}', "no 'targets'"),
        ('{"graph": {}, "tasks": [{}], "targets": ["a"]}', "'graph'; it may have job_id"),
        ('{"tasks": [{"name": "a"}], "targets": ["a"]}', 'not of the form.*"name"'),
        ('{"tasks": 3, "targets": ["a"]}', "not of the form"),
        ('{"tasks": [{"id": "a", "id": "b"}], "targets": ["a"]}', "'id' twice"),
        ('{"tasks": [{"id": "a", "call": {"args": [9007199254740993]}}], "targets": ["a"]}', "9007199254740993; JSON"),
        (f'{{"tasks": [{{"id": {"9" * 9999}}}]}}', "exact up to"),
        ('{"tasks": [{"id": "a", "call": {"args": [NaN]}}], "targets": ["a"]}', "has NaN"),
        ('{"tasks": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"tasks": [{"call": {"args": ' + "[" * 300 + "]" * 300 + '}}], "targets": ["a"]}', "not of the form"),
    ],
)
def test_what_is_no_graph_is_told(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(text)


def a_job(**fields: Any) -> job_pb2.Job:
    report = job_pb2.Report(wall_seconds=1.25, tasks=2000, tasks_run=1000)
    job = job_pb2.Job(job_id="j", tasks_total=2000, tasks_run=1000, executors=3, report=report, **fields)
    job.submitted_at.FromJsonString("2026-01-02T03:04:05Z")
    return job


def test_a_job_is_a_row_and_a_dict() -> None:
    job = a_job(state=job_pb2.JOB_STATE_RUNNING)
    assert shown.row(job) == ["j", "running", "1,000/2,000", "3", "1.2", "2026-01-02T03:04:05Z"]
    found = json.loads(json.dumps(shown.as_dict(job)))
    assert (found["id"], found["state"], found["ended"], found["error"]) == ("j", "running", None, None)
    assert found["report"]["wall"] == 1.25
    assert "results" not in found


def test_values_are_what_was_computed() -> None:
    value = {"n": 3, "x": 0.5, "big": 1e300, "list": [1, True, None, "s"]}
    job = a_job(state=job_pb2.JOB_STATE_DONE)
    json_format.ParseDict(value, job.results.add(target="t").json)
    job.results.add(target="too large to come along")
    found = shown.json_results(job)
    assert found == {"t": value}
    assert [type(item) for item in (found["t"]["n"], found["t"]["list"][1], found["t"]["big"])] == [int, bool, float]


def test_a_failure_is_explained_in_one_line() -> None:
    task = job_pb2.TaskError(key="a", attempt=1, type="builtins.ValueError", message="no\nway", remote_traceback="T")
    job = a_job(state=job_pb2.JOB_STATE_FAILED, error=job_pb2.JobError(type="TaskError", task=task))
    assert shown.explain(job) == "job j failed: task a raised builtins.ValueError: no way"
    assert shown.error(job.error)["traceback"] == "T"
    lost = job_pb2.JobError(type="ExecutorLost", message="out of memory")
    assert shown.explain(a_job(state=job_pb2.JOB_STATE_FAILED, error=lost)).endswith("ExecutorLost: out of memory")
    assert shown.explain(a_job(state=job_pb2.JOB_STATE_GONE)) == "job j: gone"


def test_columns_are_as_wide_as_their_cells() -> None:
    assert table(("A", "LONG"), [("longer", 1)]) == "A       LONG\nlonger  1"


def test_a_message_becomes_one_line() -> None:
    assert one_line("task raised:\n  here\n\nTraceback\n") == "task raised: here"


def test_equal_versions_are_fine() -> None:
    there = {"python": "3.11.7", "dask": "2026.1.0"}
    check = versions({**there, "other": "1"}, there)
    assert (check.outcome, check.detail) == (Outcome.OK, "dask 2026.1.0, python 3.11.7")


def test_different_versions_are_told_with_what_to_install() -> None:
    check = versions({"python": "3.11.7", "dask": "1"}, {"python": "3.11.9", "dask": "1", "numpy": "3"})
    assert (check.outcome, check.exit) == (Outcome.WARNING, 0)
    assert "numpy is missing here and 3 at the cluster" in check.detail
    assert "python is 3.11.7 here and 3.11.9 at the cluster" in check.detail
    assert check.advice == "install numpy==3"
    assert "Python 3.11.9" in versions({"python": "3.11.7"}, {"python": "3.11.9"}).advice


def test_versions_that_break_pickles_fail() -> None:
    there = {"python": "3.11.9", "dask": "2", "cloudpickle": "3", "numpy": "1"}
    for name, other, advice in (
        ("dask", "1", "install dask==2"),
        ("cloudpickle", "4", "install cloudpickle==3"),
        (
            "python",
            "3.12.1",
            "run this client with Python 3.11, or build the executors' image on Python 3.12 (BASE_IMAGE)",
        ),
    ):
        check = versions({**there, name: other}, there)
        assert (check.outcome, check.exit, check.advice) == (Outcome.FAILED, 6, advice)
        assert check.detail == f"{name} is {other} here and {there[name]} at the cluster"


def test_a_cluster_without_nodes_fails() -> None:
    assert (nodes(2, 5).outcome, nodes(2, 5).detail) == (
        Outcome.OK,
        "2 of the key-value store, in version 5 of the ring",
    )
    assert (nodes(0, 5).outcome, nodes(0, 5).exit) == (Outcome.FAILED, 3)


def test_the_first_failed_check_decides() -> None:
    fine = Check("scheduler", Outcome.OK, "")
    warned = versions({}, {"numpy": "1"})
    assert verdict([fine, warned]) == 0
    refused = failed("first result", errors.VersionMismatch("dask differs"))
    assert verdict([fine, refused, failed("proxy", errors.ClusterUnavailable("away"))]) == 6
    assert refused.lines().startswith("failed   first result: dask differs\n         -> install")
    assert refused.as_dict()["outcome"] == "failed"


def test_the_executors_image_is_shown() -> None:
    runtime = cluster_pb2.Runtime(python=platform.python_version(), image_digest="sha256:ab")
    described = cluster_pb2.Cluster(version=importlib.metadata.version("wukong"), runtime=runtime)
    assert cluster.describe("h:1", described)["image_digest"] == "sha256:ab"
    check = doctor._versions(described)
    assert check.outcome is Outcome.OK
    assert check.detail.endswith("; the executors' image is sha256:ab")
