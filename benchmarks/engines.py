"""The engines that are measured, each started as its users start it, with workers for the machine's two cores.

An engine runs in a process of its own (`benchmarks.engine_server`), in the environment that has its package, so each
imports what it needs when it is started. What is not its own work is switched off: dashboards, progress bars,
telemetry.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

Get = Callable[[Any, Any], Any]


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Engine:
    """A warm engine.

    Attributes:
        get: Computes keys of a graph.
        settle: Called after each run, unmeasured: returns when nothing of that run is left.
    """

    get: Get
    settle: Callable[[], None] = _nothing


@contextmanager
def wukong(environments: int = 2) -> Iterator[Engine]:
    """An embedded cluster."""
    from wukong import Client, LocalCluster

    # The peers have all of the machine's memory; an environment has 2 GB by default.
    cluster = LocalCluster(environments=environments, memory_mb=4096)
    with cluster, Client(cluster, progress=False) as client:
        yield Engine(client.get)


@contextmanager
def distributed(processes: int = 2, threads: int = 1) -> Iterator[Engine]:
    """A local cluster of dask.distributed."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=processes, threads_per_worker=threads, processes=True, dashboard_address=None)
    with cluster, Client(cluster) as client:

        def tasks(dask_scheduler: Any) -> int:
            return len(dask_scheduler.tasks)

        def settle() -> None:
            # A key that its scheduler still knows is not computed again: the next run would measure nothing.
            while client.run_on_scheduler(tasks):
                time.sleep(0.01)

        yield Engine(client.get, settle)


@contextmanager
def ray(cpus: int = 2) -> Iterator[Engine]:
    """Dask on Ray, on a local Ray."""
    import ray
    from ray.util.dask import ray_dask_get

    ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False, _temp_dir=tempfile.gettempdir())
    try:
        yield Engine(ray_dask_get)
    finally:
        ray.shutdown()


@contextmanager
def synchronous() -> Iterator[Engine]:
    """Dask's scheduler in the calling thread."""
    import dask

    yield Engine(dask.get)


@contextmanager
def threaded(threads: int = 2) -> Iterator[Engine]:
    """Dask's scheduler with threads, which stay from run to run."""
    import dask.threaded

    with ThreadPoolExecutor(threads) as pool:
        yield Engine(partial(dask.threaded.get, pool=pool))


@contextmanager
def processes(processes: int = 2) -> Iterator[Engine]:
    """Dask's scheduler with processes, which stay from run to run; by itself it starts them for each."""
    import dask.multiprocessing

    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        yield Engine(partial(dask.multiprocessing.get, pool=pool))


@contextmanager
def lithops(processes: int = 2) -> Iterator[Engine]:
    """Lithops on localhost; it runs maps only.

    Version 1 of its localhost backend starts one process for a job, which forks for each call; version 2, its default,
    starts an interpreter for each call, and takes ten times as long for calls as short as ours.
    """
    from lithops import FunctionExecutor

    config = {
        "lithops": {"backend": "localhost", "storage": "localhost", "telemetry": False},
        "localhost": {"runtime": sys.executable, "worker_processes": processes, "version": 1},
    }
    with FunctionExecutor(config=config, log_level="WARNING") as executor:

        def get(graph: Any, keys: Any) -> Any:
            function, items = as_map(graph, keys)
            return executor.get_result(executor.map(function, items), show_progressbar=False)

        yield Engine(get)


def as_map(graph: Mapping[Any, Any], keys: Any) -> tuple[Callable[[Any], Any], list[Any]]:
    """The one function of a graph whose tasks are its calls, and what it is called with.

    Raises:
        ValueError: The graph is no such map.
    """
    functions = {task[0] for task in graph.values()}
    arguments = [argument for task in graph.values() for argument in task[1:]]
    if len(functions) != 1 or len(arguments) != len(graph) or any(type(argument) is not int for argument in arguments):
        raise ValueError("the graph is no map: its tasks are not calls of one function with one number")
    return functions.pop(), [graph[key][1] for key in keys]


@dataclass(frozen=True)
class Kind:
    """How an engine is started.

    Attributes:
        start: Starts it with its options.
        packages: The packages whose versions tell which one it is.
        peer: Whether it is in the peers' environment, not in the project's.
    """

    start: Callable[..., AbstractContextManager[Engine]]
    packages: tuple[str, ...]
    peer: bool = False


#: By the names under which they stand in tables.
KINDS: Mapping[str, Kind] = {
    "Wukong": Kind(wukong, ("wukong", "dask", "numpy")),
    "distributed": Kind(distributed, ("distributed", "dask", "numpy"), peer=True),
    "Ray": Kind(ray, ("ray", "dask", "numpy"), peer=True),
    "Dask synchronous": Kind(synchronous, ("dask", "numpy")),
    "Dask threaded": Kind(threaded, ("dask", "numpy")),
    "Dask multiprocessing": Kind(processes, ("dask", "numpy")),
    "Lithops": Kind(lithops, ("lithops", "numpy"), peer=True),
}
