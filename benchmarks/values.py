"""`make bench-values`: how fast values of each size go to the KVS and come back, beside what bounds that.

Wukong's own client, with one, two and four nodes, and with one by TCP, as where the node is on another machine, takes
turns with a bare socket that does SET and GET on one node, with TCP on this machine, and with NumPy's copy. A turn puts
and gets arrays of one size; small ones many times. Another table is of nodes that have a bandwidth of their own each.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks import machine, processes
from benchmarks.far_nodes import far_table, measure_far
from benchmarks.value_ways import Bare, Copied, Loopback, Stored, Warm, Way
from wukong.cluster.valkey import ValkeyServer
from wukong.redis import Connection

KB, MB = 1 << 10, 1 << 20
SIZES = {"1 KB": KB, "16 KB": 16 * KB, "256 KB": 256 * KB, "4 MB": 4 * MB, "64 MB": 64 * MB, "1 GB": 1024 * MB}
TURNS = 5
NODES = (1, 2, 4)
#: Bytes that one sample of small values moves, and the most times that it moves one.
SAMPLE_BYTES, REPEATS = 64 * MB, 500
#: Bytes of the value that goes to nodes with a bandwidth of their own, and turns of it.
FAR_BYTES, FAR_TURNS = 32 * MB, 3
#: The size from which the closing line takes values for large.
LARGE = 16 * MB
OUR, CEILING = "1 node", "bare socket"
FOLDER = Path("build/bench")
PASSWORD = "open-sesame"


@dataclass(frozen=True)
class Row:
    """What one way took for values of one size.

    Attributes:
        size: Bytes of a value.
        action: "put" or "get".
        way: Its name.
        seconds: For one value, in each turn.
        cpu_seconds: Of this process and the stores, for one value, over all turns.
    """

    size: int
    action: str
    way: str
    seconds: Sequence[float]
    cpu_seconds: float

    @property
    def bandwidth(self) -> float:
        """GB/s of the median."""
        return self.size / statistics.median(self.seconds) / 1e9

    @property
    def best(self) -> float:
        """GB/s of the fastest turn."""
        return self.size / min(self.seconds) / 1e9

    @property
    def cpu_seconds_per_gb(self) -> float:
        """Seconds of processor time for a GB."""
        return self.cpu_seconds / self.size * 1e9


def processor_seconds(pids: Sequence[int]) -> float:
    """What this process and others have used so far."""
    return sum(map(processes.seconds, (os.getpid(), *pids)))


def measure(ways: Mapping[str, Way], size: int, turns: int, pids: Sequence[int], settle: Settle) -> Iterator[Row]:
    """Put and get arrays of one size on each way, turn by turn; the first turn warms up and checks what comes back."""
    array = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    repeats = max(1, min(REPEATS, SAMPLE_BYTES // size))
    seconds: dict[tuple[str, str], list[float]] = {(action, way): [] for action in ("put", "get") for way in ways}
    used = dict.fromkeys(seconds, 0.0)
    names = list(ways)
    for turn in range(turns + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            way = ways[name]
            for action, act in (("put", way.put), ("get", way.get)):
                cpu, began = processor_seconds(pids), time.perf_counter()
                act(array, repeats)
                took = time.perf_counter() - began
                if turn:
                    seconds[action, name].append(took / repeats)
                    used[action, name] += (processor_seconds(pids) - cpu) / repeats / turns
            if not turn:
                way.check(array)
            way.clear()
            settle()
    for (action, name), samples in seconds.items():
        yield Row(size, action, name, samples, used[action, name])


class Settle:
    """Waits until stores have freed what was removed, which they do beside their work."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._connections = [Connection(address, password=PASSWORD) for address in addresses]

    def __call__(self) -> None:
        for connection in self._connections:
            while _field(connection.call("INFO", "memory"), "lazyfree_pending_objects") != "0":
                time.sleep(0.001)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def _field(info: object, name: str) -> str:
    assert isinstance(info, bytes)
    return info.decode().partition(f"{name}:")[2].partition("\r\n")[0]


@contextmanager
def nodes(count: int) -> Iterator[list[ValkeyServer]]:
    """So many servers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [ValkeyServer(folder, f"node-{number}", password=PASSWORD) for number in range(count)]
        for server in servers:
            stack.enter_context(server)
        yield servers


def run(sizes: Sequence[int], turns: int) -> Iterator[Row]:
    """Start stores and measure all sizes on all ways."""
    with ExitStack() as stack:
        servers = stack.enter_context(nodes(max(NODES) + 1))
        servers[-1].close_short_way()
        addresses = [server.address for server in servers]
        warm = Warm()
        ways: dict[str, Way] = {
            _name(count): stack.enter_context(closing(Stored(addresses[:count], PASSWORD))) for count in NODES
        }
        ways["1 node, TCP"] = stack.enter_context(closing(Stored(addresses[-1:], PASSWORD)))
        ways[CEILING] = stack.enter_context(closing(Bare(addresses[0], PASSWORD, warm)))
        ways["loopback"] = stack.enter_context(closing(Loopback(warm)))
        ways["copy"] = Copied(warm)
        settle = stack.enter_context(closing(Settle(addresses)))
        for size in sizes:
            yield from measure(ways, size, turns, [server.pid for server in servers], settle)


def _name(nodes: int) -> str:
    return f"{nodes} node{'s' if nodes > 1 else ''}"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """GB/s of each way, as Markdown, and seconds of processor time for a GB."""
    ways = list(dict.fromkeys(row.way for row in rows))
    by_place = {(row.size, row.action, row.way): row for row in rows}
    names = {size: name for name, size in SIZES.items()}
    yield f"| value | | {' | '.join(ways)} | {OUR} to {CEILING} | processor s/GB: {OUR} | {CEILING} |"
    yield "|---" * (len(ways) + 5) + "|"
    for action in ("put", "get"):
        for size in dict.fromkeys(row.size for row in rows):
            found = {way: by_place[size, action, way] for way in ways}
            cells = [f"{row.bandwidth:.3g} ({row.best:.3g})" for row in found.values()]
            cpu = [f"{found[way].cpu_seconds_per_gb:.2f}" for way in (OUR, CEILING)]
            ratio = found[OUR].bandwidth / found[CEILING].bandwidth
            yield f"| {names.get(size, size)} | {action} | {' | '.join(cells)} | {ratio:.2f} | {' | '.join(cpu)} |"


def closing_line(rows: Sequence[Row]) -> str:
    """The smallest share of the ceiling's bandwidth that large values reach."""
    worst = {}
    for action in ("put", "get"):
        by_way = {
            way: {row.size: row.bandwidth for row in rows if (row.action, row.way) == (action, way)}
            for way in (OUR, CEILING)
        }
        large = [size for size in by_way[OUR] if size >= LARGE] or list(by_way[OUR])
        worst[action] = min(by_way[OUR][size] / by_way[CEILING][size] for size in large)
    return f"large values to the bare socket's bandwidth, one node: put {worst['put']:.2f}, get {worst['get']:.2f}"


def main() -> None:
    """Measure everything; the table is Markdown."""
    began = time.perf_counter()
    lines = [f"{machine.line()}; GB/s: medians of {TURNS}, the best in brackets", ""]
    rows = []
    for row in run(list(SIZES.values()), TURNS):
        rows.append(row)
        if sys.stderr.isatty():
            print(f"{row.size:>13,} {row.action} {row.way}: {row.bandwidth:.3g} GB/s", file=sys.stderr)
    with nodes(max(NODES)) as servers:
        far = measure_far([server.address for server in servers], PASSWORD, FAR_BYTES, FAR_TURNS)
    lines += [
        *table(rows),
        "",
        *far_table(FAR_BYTES, far),
        "",
        f"It took {time.perf_counter() - began:.0f} s.",
        "",
        closing_line(rows),
    ]
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "values.md").write_text("\n".join(lines) + "\n")
    document = {
        "head": lines[0],
        "rows": [asdict(row) for row in rows],
        "far": [asdict(one) for one in far],
        "closing": lines[-1],
    }
    (FOLDER / "values.json").write_text(json.dumps(document, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
