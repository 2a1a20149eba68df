"""KVS nodes on machines of their own, as far as a client can tell: each behind a network with a bandwidth.

The emulator's relay of store connections makes the networks, one for each node.
"""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from benchmarks.value_ways import Stored
from wukong.kvs.striping import LEAST, Striping

#: Bytes per second of a node, and of one that is slow.
RATE, SLOW_RATE = 100e6, 10e6
#: What a round trip takes longer, in seconds.
SECONDS = 0.0005
#: Bandwidth of each node.
CASES = {
    "1 node": [RATE],
    "2 nodes": [RATE] * 2,
    "4 nodes": [RATE] * 4,
    "4 nodes, one of a tenth": [RATE] * 3 + [SLOW_RATE],
}
#: Short, so that nodes have about as many stripes each.
STRIPING = Striping(LEAST)


@dataclass
class Far:
    """What it took to bring one value to nodes with these bandwidths and back, in each turn.

    Attributes:
        case: Their name.
        put: Seconds.
        get: Seconds.
    """

    case: str
    put: list[float] = field(default_factory=list)
    get: list[float] = field(default_factory=list)


class Networks:
    """The process that makes networks."""

    def __init__(self) -> None:
        self._mine, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "wukong_lambda_emulator.store_relay", "--control", str(number)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[number])
        self._answers = self._mine.makefile()
        self._opened = 0

    def open(self, address: str, bytes_per_second: float) -> str:
        """The address by which a node is reached through a network of its own."""
        self._opened += 1
        request = {
            "open": str(self._opened),
            "stores": [address],
            "seconds": SECONDS,
            "bytes_per_second": bytes_per_second,
        }
        self._mine.sendall(json.dumps(request).encode() + b"\n")
        reached: str = json.loads(self._answers.readline())["addresses"][address]
        return reached

    def __enter__(self) -> Networks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._answers.close()
        self._mine.close()
        self._process.wait()


def measure_far(addresses: Sequence[str], password: str, size: int, turns: int) -> list[Far]:
    """Put and get one value in every case, turn by turn; the first turn warms up and checks what comes back."""
    array = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    found = {case: Far(case) for case in CASES}
    with ExitStack() as stack:
        networks = stack.enter_context(Networks())
        ways = {}
        for case, rates in CASES.items():
            reached = [networks.open(address, rate) for address, rate in zip(addresses, rates, strict=False)]
            ways[case] = stack.enter_context(closing(Stored(reached, password, STRIPING)))
        for turn in range(turns + 1):
            for case, way in ways.items():
                began = time.perf_counter()
                way.put(array, 1)
                between = time.perf_counter()
                way.get(array, 1)
                ended = time.perf_counter()
                if turn:
                    found[case].put.append(between - began)
                    found[case].get.append(ended - between)
                else:
                    way.check(array)
                way.clear()
    return list(found.values())


def far_table(size: int, cases: Sequence[Far]) -> Iterator[str]:
    """Seconds in each case, and how many times less that is than with one node, as Markdown."""
    yield f"| {size / 1e6:.0f} MB, a node has {RATE / 1e6:.0f} MB/s | put s | get s | put, times one node | get |"
    yield "|---|---|---|---|---|"
    one = cases[0]
    for far in cases:
        put, get = statistics.median(far.put), statistics.median(far.get)
        times = f"{statistics.median(one.put) / put:.1f} | {statistics.median(one.get) / get:.1f}"
        yield f"| {far.case} | {put:.2f} ({min(far.put):.2f}) | {get:.2f} ({min(far.get):.2f}) | {times} |"
