"""Python and package versions of a client beside those of the executors. Pure.

Pickles of functions carry byte code and pickles of Dask graphs carry Dask's internals: another Python minor
version, cloudpickle or dask on the other side breaks them, often in obscure ways, so it is refused before
anything runs. Other differences mostly work and are only told.
"""

from __future__ import annotations

from wukong.errors import VersionMismatch
from wukong.runtime import STRICT, Runtime


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
    if client.minor != executor.minor:
        raise VersionMismatch(
            f"the client runs Python {client.python} and the executors run Python {executor.python}; "
            "functions cannot be pickled across minor versions. Run the client with Python "
            f"{executor.minor}, or build an executor image with Python {client.minor}"
        )
    for name in STRICT:
        here, there = client.packages.get(name), executor.packages.get(name)
        if here != there:
            raise VersionMismatch(
                f"the client has {client.version(name)} and the executors have {executor.version(name)}; "
                f"graphs cannot be pickled from one to the other. Install {name}=={there} beside the client, "
                f"or build an executor image with {name}=={here}"
            )
    return [
        f"{name} is {here} at the client and {executor.packages[name]} at the executors"
        for name, here in sorted(client.packages.items())
        if name in executor.packages and name not in STRICT and executor.packages[name] != here
    ]
