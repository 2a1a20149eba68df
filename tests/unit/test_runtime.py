"""Manifests of runtimes: what they hold, and what of a difference breaks pickles."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import replace

import cloudpickle
import dask
import numpy as np
import pytest

from wukong.graph.functions import Offer, allowed_functions
from wukong.runtime import Runtime, installed
from wukong_executor.manifest import HERE, compare, refusal
from wukong_scheduler.config import Config

RUNTIME = Runtime("3.11.4", {"dask": "2026.1.0", "cloudpickle": "3.1.2", "numpy": "2.1.0"}, "sha256:ab")
REQUIRED = {
    "WUKONG_TOKEN": "t",
    "WUKONG_MDS_ADDRESS": "h:1",
    "WUKONG_SIGNING_KEY": "ab" * 16,
    "WUKONG_PROXY_ADDRESS": "h:2",
}


def test_installed_names_this_interpreter() -> None:
    here = installed("sha256:ab")
    assert here.python == platform.python_version()
    assert here.packages["dask"] == dask.__version__
    assert here.packages["cloudpickle"] == cloudpickle.__version__
    assert here.packages["numpy"] == np.__version__
    assert here.image_digest == "sha256:ab"
    assert installed() == HERE


def test_a_manifest_survives_json() -> None:
    assert Runtime.parse(RUNTIME.to_json()) == RUNTIME
    assert Runtime.parse('{"python": "3.12.1"}') == Runtime("3.12.1")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", 'no "python"'),
        ("{}", 'no "python"'),
        ('{"python": 3.11}', 'no "python"'),
        ('{"python": "three"}', 'no "python"'),
        ('{"python": "3.11.4", "packages": []}', '"packages"'),
        ('{"python": "3.11.4", "packages": {"dask": 1}}', '"packages"'),
        ('{"python": "3.11.4", "image_digest": 1}', '"image_digest"'),
    ],
)
def test_what_is_no_manifest_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Runtime.parse(text)


@pytest.mark.parametrize(
    ("other", "breaking"),
    [
        (RUNTIME, []),
        (replace(RUNTIME, python="3.11.12"), []),
        (replace(RUNTIME, python="3.1.14"), ["python"]),
        (replace(RUNTIME, packages={**RUNTIME.packages, "numpy": "1.0", "polars": "2"}), []),
        (replace(RUNTIME, packages={**RUNTIME.packages, "dask": "2025.1.0"}), ["dask"]),
        (replace(RUNTIME, python="3.12.0", packages={"dask": "2026.1.0"}), ["python", "cloudpickle"]),
    ],
)
def test_pythons_minor_version_cloudpickle_and_dask_break_pickles(other: Runtime, breaking: list[str]) -> None:
    assert RUNTIME.breaks(other) == breaking
    assert other.breaks(RUNTIME) == breaking


def test_the_command_prints_what_is_here() -> None:
    command = [sys.executable, "-m", "wukong_executor.manifest", "--image-digest", "sha256:cd"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert Runtime.parse(printed) == installed("sha256:cd")


def test_an_executor_refuses_jobs_for_others_and_names_both_sides() -> None:
    other = replace(RUNTIME, python="3.12.1", packages={**RUNTIME.packages, "dask": "2025.1.0", "numpy": "1.0"})
    reason, told = compare(RUNTIME, other)
    assert "the executors have Python 3.11.4, dask 2026.1.0, but" in reason
    assert "accepted for executors with Python 3.12.1, dask 2025.1.0:" in reason
    assert "python -m wukong_executor.manifest" in reason
    assert told == []
    assert "with no dask:" in compare(RUNTIME, replace(RUNTIME, packages={"cloudpickle": "3.1.2"}))[0]


def test_an_executor_only_tells_of_other_differences() -> None:
    assert compare(RUNTIME, RUNTIME) == ("", [])
    older = replace(RUNTIME, packages={**RUNTIME.packages, "numpy": "2.0.0", "polars": "1"}, image_digest="")
    told = "numpy is 2.1.0 here, and 2.0.0 in the manifest that the scheduler has"
    assert compare(RUNTIME, older) == ("", [told])


def test_what_an_executor_found_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    refusal.cache_clear()  # other tests ran executors in this process
    here = installed()
    for packages, level in ({"numpy": "0.1"}, "WARNING"), ({"dask": "0.1"}, "ERROR"):
        accepted = replace(here, packages={**here.packages, **packages}).to_json()
        assert bool(refusal(accepted)) == bool(refusal(accepted)) == (level == "ERROR")
        assert [record.levelname for record in caplog.records] == [level]
        caplog.clear()


def test_the_scheduler_takes_a_manifest_as_it_is_or_from_a_file(tmp_path: object) -> None:
    assert Config.read(REQUIRED).runtime == installed()
    file = f"{tmp_path}/manifest.json"
    with open(file, "w") as stream:
        stream.write(RUNTIME.to_json() + "\n")
    for stated in (RUNTIME.to_json(), f"@{file}"):
        assert Config.read({**REQUIRED, "WUKONG_EXECUTOR_RUNTIME": stated}).runtime == RUNTIME


@pytest.mark.parametrize("stated", ["@/no/such/file", "3.11", json.dumps({"packages": {}})])
def test_a_manifest_that_cannot_be_read_is_refused_at_the_start(stated: str) -> None:
    says = r"WUKONG_EXECUTOR_RUNTIME cannot be used: it is .*Write the manifest with `python -m"
    with pytest.raises(ValueError, match=says):
        Config.read({**REQUIRED, "WUKONG_EXECUTOR_RUNTIME": stated})


def test_the_printed_manifest_lists_the_functions_that_calls_may_name() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wukong_executor.manifest"], capture_output=True, text=True, timeout=60, check=True
    )
    offer = Offer.parse(done.stdout)
    assert offer is not None
    assert offer.names == set(allowed_functions())
    assert offer.may_have("operator:add")
    assert not offer.may_have("os:system")


@pytest.mark.parametrize("functions", ['"math:sin"', "[3]", "{}"])
def test_functions_of_a_manifest_are_a_list_of_names(functions: str) -> None:
    with pytest.raises(ValueError, match="not a list of names"):
        Config.read({**REQUIRED, "WUKONG_EXECUTOR_RUNTIME": f'{{"python": "3.11.4", "functions": {functions}}}'})
