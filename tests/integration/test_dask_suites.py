"""Dask's own tests, as Dask ships them, with a client's `get` as the scheduler.

Each module is run by a pytest of its own, without this project's settings, and `dask_suites/wukong_suite.py` makes the
client the scheduler of everything that names none, Dask's helpers `assert_eq` included. The table below is all that is
not expected to pass, test by test. A test under `fails` is run, and has to fail; one under `left_out` is not run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wukong import LocalCluster

IDENTITY = "asks for the very object that the client put into the graph: needs the client's own memory"
DIRECTORY = "groups as Dask can only through a directory of its own"
UNKNOWN = "gives an option that nobody knows, for nothing: here a misspelt one is refused, not left out in silence"
NAMED = "names one of Dask's own schedulers for all that it computes"


@dataclass(frozen=True)
class Suite:
    """A module of Dask's tests, and how it goes on Wukong.

    Attributes:
        passed: Tests that pass.
        with_jobs: Those of them that use the client. Others only build graphs, or call a scheduler by its name.
        jobs: The least number of jobs that they run through the client.
        fails: Tests that cannot pass, with the reason.
        left_out: Tests that are not run, because they would not use the client, with the reason.
    """

    passed: int
    with_jobs: int
    jobs: int
    fails: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


SUITES = {
    "dask.array.tests.test_linalg": Suite(passed=398, with_jobs=299, jobs=2400),
    "dask.array.tests.test_routines": Suite(
        passed=725,
        with_jobs=606,
        jobs=2800,
        fails={
            "test_average_raises": "expects a task's warning in the client's own memory; it is printed there instead",
        },
    ),
    "dask.bag.tests.test_bag": Suite(
        passed=177,
        with_jobs=128,
        jobs=330,
        fails={
            "test_bag_with_single_callable": IDENTITY,
            "test_repartition_partition_size_complex_dtypes": f"{IDENTITY} (lists of arrays are equal only so)",
            "test_to_delayed_optimize_graph": "replaces a function in the client's own memory, to count its calls",
            "test_reductions_are_lazy": "embeds a generator that writes to a list in the client's own memory",
            "test_bag_compute_forward_kwargs": UNKNOWN,
            "test_temporary_directory": "looks for the directory through which Dask's own processes exchange rows",
            "test_groupby_with_indexer": f"{DIRECTORY}: by an index",
            "test_msgpack_unicode": f"{DIRECTORY}: by an index",
            "test_groupby_with_npartitions_changed": f"{DIRECTORY}: into a single partition",
        },
        left_out={
            "test_bag_groupby_none": NAMED,
            "test_bag_groupby_dataclass": NAMED,
            "test_groupby_with_scheduler_func": NAMED,
        },
    ),
    "dask.tests.test_delayed": Suite(
        passed=59,
        with_jobs=38,
        jobs=69,
        fails={
            "test_traverse_false": IDENTITY,
            "test_callable_obj": IDENTITY,
            "test_delayed_compute_forward_kwargs": UNKNOWN,
        },
        left_out={"test_p2p_as_delayed": "starts a cluster of dask.distributed for all that it computes"},
    ),
}


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[LocalCluster]:
    with LocalCluster(environments=2) as cluster:
        yield cluster


@pytest.mark.timeout(600)
@pytest.mark.parametrize("module", SUITES)
def test_dasks_own_tests_pass(module: str, own_cluster: LocalCluster, tmp_path: Path) -> None:
    suite = SUITES[module]
    plan, outcome, settings = tmp_path / "plan.json", tmp_path / "outcome.json", tmp_path / "pytest.ini"
    plan.write_text(json.dumps({"fails": dict(suite.fails), "left_out": dict(suite.left_out)}))
    # The marks that Dask's tests have, from Dask's settings. Those are not installed with Dask.
    settings.write_text("[pytest]\nxfail_strict = true\nmarkers =\n    slow\n    network\n    gpu\n    array_expr\n")
    command = [sys.executable, "-m", "pytest", "-p", "wukong_suite", "--plan", plan, "--outcome", outcome]
    command += ["-c", settings, "--rootdir", tmp_path, "-p", "no:cacheprovider", "--timeout", "100"]
    command += ["-q", "--tb", "short", "-rfE", "--durations", "10", "--pyargs", module]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHONWARNINGS"))}
    environ |= {
        "WUKONG_ADDRESS": own_cluster.address,
        "WUKONG_TOKEN": own_cluster.token,
        "PYTHONPATH": str(Path(__file__).parent / "dask_suites"),
        # What the tests compute for comparison is small, and the cluster uses the cores already.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    with (tmp_path / "output.txt").open("w+") as output:
        status = subprocess.run(
            [str(word) for word in command], cwd=tmp_path, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
        output.seek(0)
        said = output.read()
    print(said)
    assert status.returncode == 0, f"{module}: pytest ended with {status.returncode}; its output is above"
    found = json.loads(outcome.read_text())
    print(module, found)
    assert found["absent"] == [], "the table names tests that Dask does not have"
    assert found.get("failed", 0) == 0
    assert found["passed"] >= suite.passed
    assert found["passed with jobs"] >= suite.with_jobs
    assert found["jobs"] >= suite.jobs
