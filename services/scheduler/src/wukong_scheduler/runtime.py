"""Python and package versions of a client beside those of the executors. Pure, but for `installed`.

Pickles of functions carry byte code and pickles of Dask graphs carry Dask's internals: another Python minor
version, cloudpickle or dask on the other side breaks them, often in obscure ways, so it is refused before
anything runs. Other differences mostly work and are only told.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from wukong.errors import VersionMismatch

#: Packages whose version must be the same on both sides.
STRICT = ("cloudpickle", "dask")

#: Packages that are worth telling about.
TOLD = ("numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "dask-ml")


@dataclass(frozen=True, slots=True)
class Runtime:
    """A Python version ("3.11.4") and package versions by distribution name."""

    python: str
    packages: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Runtime:
        """From `{"python": ..., "packages": {...}}`, as an executor image states it."""
        stated = json.loads(text)
        return cls(stated["python"], dict(stated.get("packages", {})))


def installed() -> Runtime:
    """What this interpreter has."""
    packages = {}
    for name in STRICT + TOLD:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Runtime(platform.python_version(), packages)


def check_runtime(client: Runtime, executor: Runtime) -> list[str]:
    """Warnings about differences that mostly work.

    Raises:
        VersionMismatch: The client's pickles would break on the executors.
    """
    if not client.python:
        raise VersionMismatch(
            "the graph is pickled, but the request does not say with which Python and packages; "
            "state them in `runtime`, or submit `tasks` that name functions"
        )
    if _minor(client.python) != _minor(executor.python):
        raise VersionMismatch(
            f"the client runs Python {client.python} and the executors run Python {executor.python}; "
            "functions cannot be pickled across minor versions. Run the client with Python "
            f"{_minor(executor.python)}, or build an executor image with Python {_minor(client.python)}"
        )
    for name in STRICT:
        here, there = client.packages.get(name), executor.packages.get(name)
        if here != there:
            raise VersionMismatch(
                f"the client has {_described(name, here)} and the executors have {_described(name, there)}; "
                f"graphs cannot be pickled from one to the other. Install {name}=={there} beside the client, "
                f"or build an executor image with {name}=={here}"
            )
    return [
        f"{name} is {here} at the client and {executor.packages[name]} at the executors"
        for name, here in sorted(client.packages.items())
        if name in executor.packages and name not in STRICT and executor.packages[name] != here
    ]


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _described(name: str, version: str | None) -> str:
    return f"{name} {version}" if version else f"no {name}"
