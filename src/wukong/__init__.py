"""Wukong runs Dask graphs on AWS Lambda, with no coordinator in the middle.

What is named here is imported when it is first used, so that `import wukong` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wukong.client.client import Client as Client
    from wukong.client.future import Future as Future
    from wukong.client.job import Job as Job
    from wukong.cluster.local import LocalCluster as LocalCluster
    from wukong.errors import BudgetExceeded as BudgetExceeded
    from wukong.errors import ClusterUnavailable as ClusterUnavailable
    from wukong.errors import DeadlineExceeded as DeadlineExceeded
    from wukong.errors import ExecutorLost as ExecutorLost
    from wukong.errors import InputLost as InputLost
    from wukong.errors import InvalidGraph as InvalidGraph
    from wukong.errors import JobCancelled as JobCancelled
    from wukong.errors import LargeUploadWarning as LargeUploadWarning
    from wukong.errors import LegacyOptionWarning as LegacyOptionWarning
    from wukong.errors import LimitExceeded as LimitExceeded
    from wukong.errors import MissingModule as MissingModule
    from wukong.errors import ResultMissing as ResultMissing
    from wukong.errors import StoreFull as StoreFull
    from wukong.errors import TaskError as TaskError
    from wukong.errors import ValueRefused as ValueRefused
    from wukong.errors import VersionMismatch as VersionMismatch
    from wukong.errors import WukongError as WukongError

_HOMES = {
    "Client": "wukong.client.client",
    "Future": "wukong.client.future",
    "Job": "wukong.client.job",
    "LocalCluster": "wukong.cluster.local",
    **dict.fromkeys(
        (
            "BudgetExceeded",
            "ClusterUnavailable",
            "DeadlineExceeded",
            "ExecutorLost",
            "InputLost",
            "InvalidGraph",
            "JobCancelled",
            "LargeUploadWarning",
            "LegacyOptionWarning",
            "LimitExceeded",
            "MissingModule",
            "ResultMissing",
            "StoreFull",
            "TaskError",
            "ValueRefused",
            "VersionMismatch",
            "WukongError",
        ),
        "wukong.errors",
    ),
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
