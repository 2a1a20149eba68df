"""One value of 3 GiB, from an executor through the KVS to the client, and what it costs in memory."""

from __future__ import annotations

import os
import threading

import numpy as np
import psutil
import pytest

from wukong import Client, LocalCluster

GIB = 1 << 30
COUNT = 3 * GIB // 8


def ramp(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float64)


class Peak:
    """The most memory that this process and its children held together, sampled while the block runs."""

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Peak:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process(os.getpid())
        while not self._done.wait(0.05):
            held = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    held += process.memory_info().rss - process.memory_info().shared
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, held)


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_value_of_3_gib_arrives_within_16_gib() -> None:
    with LocalCluster(environments=1, memory_mb=8192) as cluster, Client(cluster) as client, Peak() as peak:
        value = client.get({"ramp": (ramp, COUNT)}, "ramp")
        assert value.nbytes == 3 * GIB
        assert value[0] == 0
        assert value[COUNT // 2] == COUNT // 2
        assert value[-1] == COUNT - 1
        assert float(np.diff(value[:: COUNT // 1000]).std()) == 0
        value[0] = 1.0  # what arrives can be written to
        assert client.report().bytes_written >= 3 * GIB
        del value
    assert 5 * GIB < peak.bytes < 16 * GIB  # a store holds it while the executor or the client does
