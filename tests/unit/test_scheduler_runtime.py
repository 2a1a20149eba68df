from __future__ import annotations

import platform

import cloudpickle
import dask
import pytest

from wukong.errors import VersionMismatch
from wukong.runtime import Runtime, installed
from wukong_scheduler.runtime import check_runtime

EXECUTOR = Runtime("3.11.4", {"dask": "2026.1.0", "cloudpickle": "3.1.2", "numpy": "2.1.0", "pandas": "2.3.0"})


def client(python: str = "3.11.4", **packages: str) -> Runtime:
    return Runtime(python, {"dask": "2026.1.0", "cloudpickle": "3.1.2", **packages})


def test_equal_versions_pass_in_silence() -> None:
    assert check_runtime(EXECUTOR, EXECUTOR) == []


def test_another_patch_release_of_python_passes() -> None:
    assert check_runtime(client("3.11.9"), EXECUTOR) == []


@pytest.mark.parametrize("python", ["3.12.4", "3.1.14", "4.11.0"])
def test_another_minor_version_of_python_is_refused(python: str) -> None:
    with pytest.raises(
        VersionMismatch,
        match=rf"client runs Python {python} .* executors run Python 3\.11\.4.*Run the client",
    ):
        check_runtime(client(python), EXECUTOR)


@pytest.mark.parametrize("name", ["dask", "cloudpickle"])
def test_another_dask_or_cloudpickle_is_refused(name: str) -> None:
    with pytest.raises(
        VersionMismatch, match=rf"client has {name} 0\.1 and the executors have {name} .* Install {name}=="
    ):
        check_runtime(client(**{name: "0.1"}), EXECUTOR)


def test_a_client_without_dask_is_refused() -> None:
    with pytest.raises(VersionMismatch, match="client has no dask"):
        check_runtime(Runtime("3.11.4", {"cloudpickle": "3.1.2"}), EXECUTOR)


def test_a_client_that_states_nothing_is_refused() -> None:
    with pytest.raises(VersionMismatch, match="does not say with which Python"):
        check_runtime(Runtime(""), EXECUTOR)


def test_other_differences_are_told() -> None:
    warnings = check_runtime(client(numpy="2.0.0", pandas="2.3.0", polars="1.0"), EXECUTOR)
    assert warnings == ["numpy is 2.0.0 at the client and 2.1.0 at the executors"]


def test_installed_names_this_interpreter() -> None:
    here = installed()
    assert here.python == platform.python_version()
    assert here.packages["dask"] == dask.__version__
    assert here.packages["cloudpickle"] == cloudpickle.__version__
