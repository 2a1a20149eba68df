"""One engine in a process of its own: `python -m benchmarks.engine_server NAME OPTIONS`; `benchmarks.engine` starts it.

Requests come as lines of JSON on its input, answers go as lines of JSON to its output:

    (at the start)                                  {"versions": {package: version}}
    {"prepare": {"builder", "arguments",            {"tasks": n, "seconds": s, "differs": null or where}
                 "result": a file, "write": bool}}
    {"sample": {"seconds": s, "most": n}}           {"runs": [s, ...], "foreign": cores, "differs": ...}
    {"end": {}}                                     (the process ends)

`prepare` builds the graph and computes it once, so that the engine is warm. `sample` computes it again, several times
while that takes less than `seconds`. Each result is compared with what Dask's synchronous scheduler wrote. An error is
{"error": traceback}. When its input ends before `end`, the driver is gone, and this process takes its engine along.
"""

from __future__ import annotations

import gc
import importlib
import importlib.metadata
import json
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

from benchmarks import load
from benchmarks.agreement import difference
from benchmarks.engines import KINDS, Engine


class Served:
    """An engine, and the graph that was prepared last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._graph: Any = None
        self._keys: Any = None
        self._expected: Any = None

    def prepare(self, builder: str, arguments: dict[str, Any], result: str, write: bool) -> dict[str, Any]:
        """Build a graph, compute it, and compare its result, or write that to the file."""
        module, _, name = builder.partition(":")
        self._graph = self._keys = self._expected = None
        self._graph, self._keys = getattr(importlib.import_module(module), name)(**arguments)
        seconds, found = self._run()
        if write:
            Path(result).write_bytes(pickle.dumps(found, 5))
        self._expected = pickle.loads(Path(result).read_bytes())
        return {"tasks": len(self._graph), "seconds": seconds, "differs": difference(self._expected, found)}

    def sample(self, seconds: float, most: int) -> dict[str, Any]:
        """Compute it again, at most that many times."""
        runs: list[float] = []
        differs = None
        gc.collect()
        used = load.used_by(load.processes(), os.getpid())
        busy, began = load.busy(), time.perf_counter()
        while not runs or (len(runs) < most and sum(runs) < seconds):
            took, found = self._run()
            runs.append(took)
            differs = differs or difference(self._expected, found)
            del found
        busy, elapsed = load.busy() - busy, time.perf_counter() - began
        used = load.used_by(load.processes(), os.getpid()) - used
        return {"runs": runs, "foreign": max(0.0, (busy - used) / elapsed), "differs": differs}

    def _run(self) -> tuple[float, Any]:
        began = time.perf_counter()
        found = self._engine.get(self._graph, self._keys)
        took = time.perf_counter() - began
        self._engine.settle()
        return took, found


def listen(source: TextIO, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Hand requests on; when there can be no more, end this process and all that it started."""
    for line in source:
        request = json.loads(line)
        requests.put(request)
        if "end" in request:
            return
    for pid in reversed(load.tree(load.processes(), os.getpid())):
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Serve until told to end."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what engines print is no answer
    load.adopt_orphans()
    # Linux sends it to a frozen engine whose driver has ended, and has it go on; `listen` then sees to the end.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(sys.stdin, requests), daemon=True).start()

    def answer(made: Callable[[], dict[str, Any]]) -> None:
        try:
            found = made()
        except Exception:
            found = {"error": traceback.format_exc()}
        print(json.dumps(found), file=answers)

    kind = KINDS[sys.argv[1]]
    with kind.start(**json.loads(sys.argv[2])) as engine:
        served = Served(engine)
        answer(lambda: {"versions": {name: importlib.metadata.version(name) for name in kind.packages}})
        while "end" not in (request := requests.get()):
            ((name, given),) = request.items()
            answer(lambda name=name, given=given: getattr(served, name)(**given))  # type: ignore[misc]


if __name__ == "__main__":
    main()
