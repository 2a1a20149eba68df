"""Runs the job and merges what was recorded of it."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence

import psutil

from examples.one_job.commands import Commands
from examples.one_job.job import GRAPH, NOTE, RESULT
from examples.one_job.monitor import Command, Monitor
from examples.one_job.relay import Relay
from examples.one_job.row import Row, ordered
from wukong import Client, LocalCluster, settings
from wukong.rpc.channel import channel
from wukong.rpc.v1 import cluster_pb2, scheduler_pb2, scheduler_pb2_grpc

#: Seconds to wait for what follows the result: the executors' end, the job's removal.
PATIENCE = 30.0

#: Runs of the job before the one that is recorded. After two, connections are open, the stores know the scripts, and
#: each of the two environments has made its client of Lambda.
WARM_UP = 2

EXECUTORS = 2
FUNCTION = "wukong-executor"

#: Commands that travel together, so that they cost one round trip.
PIPELINES = (
    ("HGETALL", "ZCARD", "ZREVRANGE"),
    ("SET", "SET"),
    ("begin", "GET"),
    ("MULTI", "SADD", "PEXPIRE", "PEXPIRE", "SET", "EXEC"),
    ("ZRANGE", "HKEYS"),
    ("UNLINK", "SREM"),
)

MOST = max(map(len, PIPELINES))

#: Commands that are not of the job: of new connections, and of the scheduler's look at all jobs.
OTHERS = ("AUTH", "sweep", "ZRANGE w:jobs")


def trace() -> list[Row]:
    """Run the job on a cluster of its own; returns what was seen, in order.

    Raises:
        TimeoutError: Something did not come.
    """
    os.environ[settings.STORE_SOCKETS.name] = "0"  # MONITOR tells clients by their ports
    with LocalCluster(environments=EXECUTORS) as cluster:
        relay = Relay(cluster.address)
        monitors: dict[str, Monitor] = {}
        seen: dict[str, list[Command]] = {}
        try:
            with Client(relay.address, token=cluster.token) as client:

                def run(earlier: int) -> None:
                    relay.rows.clear()
                    assert client.get(GRAPH, "d") == RESULT
                    wait_for(relay.released, "the removal of the job")
                    ends = EXECUTORS * (earlier + 1)
                    wait_for(lambda: cluster.logs()[FUNCTION].count("] REPORT ") >= ends, "the executors' end")

                for earlier in range(WARM_UP):
                    run(earlier)
                logged = len(cluster.logs()[FUNCTION])
                direct = _direct(cluster)
                for store, address in (("MDS", direct.mds_address), ("KVS", direct.ring.nodes[0].address)):
                    monitors[store] = Monitor(address, *cluster.administrator)
                run(WARM_UP)
                processes = _processes(cluster)
                log = cluster.logs()[FUNCTION][logged:]
        finally:
            for store, monitor in monitors.items():
                seen[store] = monitor.close()
            relay.close()
    return merge(relay.rows, seen, processes, log)


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in {PATIENCE:g} s")
        time.sleep(0.01)


def _direct(cluster: LocalCluster) -> cluster_pb2.Direct:
    """Where the stores are, as the scheduler tells every client of an embedded cluster."""
    with channel(cluster.address, cluster.token) as asking:
        return scheduler_pb2_grpc.SchedulerStub(asking).GetCluster(scheduler_pb2.GetClusterRequest()).direct


def _processes(cluster: LocalCluster) -> dict[str, tuple[str, int]]:
    """The process behind each address that a store was called from: its role and its id."""
    found = {}
    for role, pid in [*cluster.processes(), ("client", os.getpid())]:
        for connection in psutil.Process(pid).net_connections("tcp"):
            if connection.raddr:
                found[f"{connection.laddr.ip}:{connection.laddr.port}"] = role, pid
    return found


def merge(
    messages: Sequence[Row], seen: dict[str, list[Command]], processes: dict[str, tuple[str, int]], log: str
) -> list[Row]:
    """All rows, with short names: J is the job, T1 and T2 are the executors' tokens."""
    commands = Commands()
    begins: dict[int, Row] = {}
    rows = [*messages]
    for store, theirs in seen.items():
        texts: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for command in theirs:
            text = commands.text(command)
            if not text.startswith(OTHERS):
                texts[command.client].append((command.time, text))
            if text.startswith("begin "):
                pid = processes[command.client][1]
                begins[pid] = Row(command.time, f"executor {len(begins) + 1}", "", "")
        for client, timed in texts.items():
            role, pid = processes.get(client, ("somebody", 0))
            who = begins[pid].source if pid in begins else {"control": "scheduler"}.get(role, role)
            rows += round_trips(who, store, timed)
    rows += environments(log, begins, rows)
    names = {commands.job: "J"} | {token: f"T{number}" for number, token in enumerate(commands.tokens, 1)}
    for row in rows:
        for name, short in names.items():
            row.text = row.text.replace(name, short)
    return ordered(rows)


def round_trips(who: str, store: str, timed: Sequence[tuple[float, str]]) -> list[Row]:
    """A row for each round trip that one client made to a store."""
    rows = []
    while timed:
        names = [text.split()[0] for _, text in timed[:MOST]]
        length = next((len(known) for known in PIPELINES if tuple(names[: len(known)]) == known), 1)
        asked, answered = zip(*(text.partition(" -> ")[::2] for _, text in timed[:length]), strict=True)
        text = " -> ".join(filter(None, [" + ".join(asked), *answered]))
        fold = "beat" if ": beat, " in text else ""
        rows.append(Row(timed[0][0], who, store, text, fold))
        timed = timed[length:]
    return rows


def environments(log: str, begins: dict[int, Row], rows: Sequence[Row]) -> list[Row]:
    """What the environments did. The log says how long an invocation took, not when it came: just before `begin`."""
    found: list[Row] = []
    for number, pid in dict(re.findall(rf"^\[(\d+)\] {NOTE} \w (\d+) ", log, re.MULTILINE)).items():
        begin = begins[int(pid)]
        last = max(row.time for row in rows if row.source == begin.source)
        found.append(Row(begin.time - 1e-6, "emulator", begin.source, f"invocation, in environment {number}"))
        for task, *times in re.findall(rf"^\[{number}\] {NOTE} (\w) \d+ (\S+) (\S+)", log, re.MULTILINE):
            started, ended = map(float, times)
            found.append(Row(started, begin.source, "", f"runs {task} for {(ended - started) * 1e3:.0f} ms"))
        (milliseconds,) = re.findall(rf"^\[{number}\] REPORT .*?Duration: (\S+) ms", log, re.MULTILINE)
        end = max(begin.time + float(milliseconds) / 1e3, last + 1e-6)
        found.append(Row(end, begin.source, "emulator", f"answer, after {float(milliseconds):.0f} ms"))
    return found
