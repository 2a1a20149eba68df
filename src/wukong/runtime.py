"""Manifests of runtimes: the Python and the packages with which functions and graphs are pickled and unpickled.

The executors' manifest is made where they run (`python -m wukong_executor.manifest`) and given to the scheduler, which
compares each client with it and notes it in each job; executors compare themselves with the job's. It also lists the
functions that calls may name, which is `wukong.graph.functions.Offer`'s to read.
"""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: Packages whose version must be the same wherever one graph is pickled and unpickled.
STRICT = ("cloudpickle", "dask")

#: Packages that are worth telling about.
TOLD = ("wukong", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "dask-ml")


@dataclass(frozen=True, slots=True)
class Runtime:
    """A Python version ("3.11.4"), package versions by distribution name, and the image's digest where it is known."""

    python: str
    packages: Mapping[str, str] = field(default_factory=dict)
    image_digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Runtime:
        """The inverse of `to_json`.

        Raises:
            ValueError: It is no manifest; says what is wrong with it.
        """
        try:
            stated = json.loads(text)
        except ValueError as error:
            raise ValueError(f"a manifest of executors is not JSON: {error}") from None
        if not isinstance(stated, dict) or not _is_version(stated.get("python")):
            raise ValueError('a manifest of executors has no "python" with a version such as "3.11.9"')
        packages, digest = stated.get("packages", {}), stated.get("image_digest", "")
        if not isinstance(packages, dict) or not all(isinstance(each, str) for each in packages.values()):
            raise ValueError('"packages" in a manifest of executors is not an object with a version for each name')
        if not isinstance(digest, str):
            raise ValueError('"image_digest" in a manifest of executors is no text')
        return cls(stated["python"], packages, digest)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def minor(self) -> str:
        """Python's minor version, such as "3.11"."""
        return ".".join(self.python.split(".")[:2])

    def breaks(self, other: Runtime) -> list[str]:
        """What differs so that pickles of one break in the other: "python", and names of packages."""
        different = [name for name in STRICT if self.packages.get(name) != other.packages.get(name)]
        return (["python"] if self.minor != other.minor else []) + different

    def version(self, name: str) -> str:
        """For a sentence: "Python 3.11.9", "dask 2026.1.0", "no dask"."""
        if name == "python":
            return f"Python {self.python}"
        return f"{name} {self.packages[name]}" if name in self.packages else f"no {name}"


def installed(image_digest: str = "") -> Runtime:
    """What this interpreter has."""
    packages = {}
    for name in STRICT + TOLD:
        try:
            packages[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return Runtime(platform.python_version(), packages, image_digest)


def _is_version(text: Any) -> bool:
    return isinstance(text, str) and text.count(".") >= 1 and text.split(".")[0].isdecimal()
