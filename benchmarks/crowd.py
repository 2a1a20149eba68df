"""Several clients, each a program of its own, that have several jobs at once on one cluster.

`python -m benchmarks.crowd JOBS` is one of them: it finds the cluster by the variables WUKONG_ADDRESS and WUKONG_TOKEN,
says that it is ready, begins when it is told to, and tells how long each of its jobs took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks.shape import TREE
from wukong import Client, LocalCluster

#: Tasks of each job, about.
SIZE = 256


@dataclass(frozen=True, slots=True)
class Crowd:
    """What became of many jobs at once.

    Attributes:
        tasks: Of each job.
        wall: Seconds until the last client was done.
        taken: Seconds of each job, from when it was submitted.
    """

    tasks: int
    wall: float
    taken: list[float]


def crowd(cluster: LocalCluster, clients: int, jobs: int) -> Crowd:
    """Have `clients` programs run `jobs` jobs each, all at once.

    Raises:
        RuntimeError: A program failed, or got a wrong result.
    """
    environ = {**os.environ, "WUKONG_ADDRESS": cluster.address, "WUKONG_TOKEN": cluster.token}
    members = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.crowd", str(jobs)],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(clients)
    ]
    try:
        for member in members:
            assert member.stdout is not None
            member.stdout.readline()
        began = time.perf_counter()
        for member in members:
            assert member.stdin is not None
            member.stdin.write("go\n")
            member.stdin.flush()
        answers = [member.stdout.readline() for member in members if member.stdout]
        wall = time.perf_counter() - began
    finally:
        for member in members:
            member.communicate()
    if any(member.returncode for member in members):
        raise RuntimeError("a client of the crowd failed; see above what it said")
    taken = [seconds for answer in answers for seconds in json.loads(answer)]
    return Crowd(len(TREE.build(SIZE)[0]), wall, taken)


def main(jobs: int) -> None:
    """Be one client."""
    graph, key = TREE.build(SIZE)

    def run(client: Client) -> float:
        began = time.perf_counter()
        if client.get(graph, key) != TREE.value(SIZE):
            raise SystemExit("a job's result is wrong")
        return time.perf_counter() - began

    with Client() as client, ThreadPoolExecutor(jobs) as threads:
        run(client)
        print("ready", flush=True)
        sys.stdin.readline()
        print(json.dumps(list(threads.map(run, [client] * jobs))), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
